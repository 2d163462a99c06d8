"""The settings of the teacher: which model teaches, with what weights, and where it is cut."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nasray.errors import UserError
from nasray.search_spaces.settings import ScalingConfig
from nasray.trainables.settings.training import TrainConfig


class TeacherConfig(BaseModel):
    """Which model teaches, with what weights, and where it is cut.

    Attributes:
        source: "largest" (the space's largest architecture), "architecture" (the one that is given, scaled where
            `scaling` is), the name of a torchvision classifier, or "module:function": a function (input_shape,
            num_classes) -> torch.nn.Module that makes logits [B, num_classes] of images [B, C, H, W].
        architecture: ID of an architecture of the space.
        scaling: By how much it is scaled; None: it is taken as it is.
        weights: Name of torchvision's weights, such as "IMAGENET1K_V1", or path, with a folder or a suffix, of a file
            that safetensors or torch.save wrote, with a state_dict in it; None: freshly initialised.
        num_classes: Classes of the teacher's classifier, where they are not the data's.
        allow_chance: Whether a teacher with weights, and with the data's classes, may be right no more often than by
            chance, for methods and trials that need none better.
        cuts: Submodules behind which the teacher is cut, one per block; "auto": the blocks of a network of
            ours, else the last submodule before each change of the maps' size.
        train: How the teacher is trained first; None: not at all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = "largest"
    # Left out of what is kept where they are not given: other teachers are known by what was kept before these were.
    architecture: str | None = Field(default=None, exclude_if=lambda value: value is None)
    scaling: ScalingConfig | None = Field(default=None, exclude_if=lambda value: value is None)
    weights: str | None = None
    num_classes: int | None = Field(default=None, ge=1)
    allow_chance: bool = Field(default=False, exclude_if=lambda value: not value)
    cuts: Literal["auto"] | tuple[str, ...] = "auto"
    train: TrainConfig | None = None

    @model_validator(mode="after")
    def _architecture_goes_with_its_source(self) -> Self:
        if (self.source == "architecture") != (self.architecture is not None):
            raise UserError(
                "architecture must be given with source: architecture, and with no other, got source: "
                f"{self.source} and architecture: {self.architecture}"
            )
        if self.scaling is not None and self.architecture is None:
            raise UserError("scaling must go with source: architecture, which is what it scales")
        return self


def is_checkpoint(weights: str | None) -> bool:
    """Whether `TeacherConfig.weights` names a file, and not weights of torchvision's."""
    return weights is not None and (
        len(Path(weights).parts) > 1 or Path(weights).suffix != "" or weights.startswith(".")
    )
