"""The settings of the evidence: which architectures are trained for real, how often, and how."""

from typing import Annotated

from pydantic import Field, field_validator

from nasray.errors import UserError
from nasray.trainables.settings.training import RetrainConfig

Seed = Annotated[int, Field(ge=0, lt=2**63)]


class EvidenceConfig(RetrainConfig):
    """Which architectures are trained for real, beside how.

    Attributes:
        top: So many of the best of the ranking.
        sample: So many more, spread evenly over the range of the scores of all architectures within the budgets.
        training_seeds: Each network is trained with each of them, on the same images: initial weights, order and
            augmentation differ. Two or more tell how far such accuracies agree with themselves.
        stitched: Whether the accuracy of the trained blocks put together is measured, too.
    """

    top: int = Field(default=5, ge=0)
    sample: int = Field(default=15, ge=0)
    training_seeds: tuple[Seed, ...] = Field(default=(0,), min_length=1)
    stitched: bool = True

    @field_validator("training_seeds")
    @classmethod
    def _different(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < len(value):
            raise UserError(f"must differ, got {', '.join(map(str, value))}")
        return value

    @property
    def needs_search(self) -> bool:
        """Whether a training takes something from a DNA search: its blocks' weights, or its teacher."""
        return self.init == "inherited" or self.distillation is not None

    @property
    def training(self) -> RetrainConfig:
        """How a network is trained, without which ones are."""
        return RetrainConfig.model_validate(self.model_dump(include=set(RetrainConfig.model_fields)))
