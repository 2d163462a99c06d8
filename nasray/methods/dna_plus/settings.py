"""The settings of a search in generations."""

from typing import Literal

from pydantic import Field

from nasray.search_spaces.settings import ScalingConfig
from nasray.trainables.settings.block_distillation import BlockDistillationConfig
from nasray.trainables.settings.training import TrainConfig


class DnaPlusConfig(BlockDistillationConfig):
    """How often a DNA search is followed by another, taught by what it found.

    Source: DNA+ (Wang et al., arXiv 2403.01326) is said to learn progressively, the architecture that was found being
    scaled and used further; its text is not to be had, so that the form here is our own reading. A generation is a DNA
    search: teacher, ratings, ranking, evidence. Its best architecture within the budgets, the first of the ranking, is
    trained with distillation from the generation's teacher, as the section `retrain` says. The same architecture,
    scaled as EfficientNets are, is then trained from scratch and from the labels as the next generation's teacher.

    Attributes:
        generations: How many there are at most.
        margin: The last is that whose best architecture, trained for real, classifies less than this share of the
            held-out images more rightly than the one before; 0: that which is worse.
        scaling: By how much the best architecture grows to be a teacher.
        teacher_train: How it is trained; None: as `teacher.train` says.
    """

    method: Literal["dna_plus"] = "dna_plus"  # type: ignore[assignment]
    generations: int = Field(default=3, ge=1)
    margin: float = Field(default=0.002, ge=0, lt=1)
    scaling: ScalingConfig = ScalingConfig()
    teacher_train: TrainConfig | None = None


# What differs from a DNA search.
OWN_FIELDS = frozenset(DnaPlusConfig.model_fields) - frozenset(BlockDistillationConfig.model_fields)
