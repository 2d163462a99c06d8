"""The settings of a search in generations, and what must stand beside them."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import LATENCY_MS
from nasray.search_spaces.settings import ScalingConfig
from nasray.settings.evidence import EvidenceConfig
from nasray.trainables.settings.block_distillation import BlockDistillationConfig
from nasray.trainables.settings.teacher import TeacherConfig
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


# What differs from a DNA search, and how far the generations go: more of them are added to those that there are.
OWN_FIELDS = frozenset(DnaPlusConfig.model_fields) - frozenset(BlockDistillationConfig.model_fields)
LENGTH_FIELDS = frozenset({"generations", "margin"})


def check_generations(
    search: DnaPlusConfig,
    teacher: TeacherConfig | None,
    retrain: EvidenceConfig | None,
    others: Sequence[Any],
    budgets: Mapping[str, float],
    *,
    has_sweep: bool,
) -> None:
    """Hold what stands beside the settings to what generations need.

    Args:
        search: The settings.
        teacher: The first teacher.
        retrain: How networks are trained for real.
        others: The config's other searches.
        budgets: Those of the ranking.
        has_sweep: Whether the config has a section of that name.

    Raises:
        UserError: The best architectures are not trained with distillation, no way to train teachers is given, or
            there is another search, a sweep or a budget of latency.
    """
    if others or has_sweep:
        raise UserError(
            "dna_plus must be the only search, without a sweep beside it: give these a config of their own"
        )
    if LATENCY_MS in budgets:
        raise UserError(
            f"budgets.{LATENCY_MS} must be left out of a search of the method dna_plus: latencies are measured on a "
            "finished run"
        )
    if retrain is None or retrain.top < 1 or retrain.distillation is None:
        raise UserError(
            "retrain must train the best architecture with distillation for a search of the method dna_plus: set "
            "retrain.top to 1 or more and retrain.distillation, {} for its defaults"
        )
    if teacher is not None and teacher.train is None and search.teacher_train is None:
        raise UserError(
            "teacher_train of a search of the method dna_plus must be given where teacher.train is not: the later "
            "generations' teachers are trained"
        )
