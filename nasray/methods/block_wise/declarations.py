"""The declarations of DNA and DNA++."""

from collections.abc import Iterator
from dataclasses import replace
from operator import attrgetter

from nasray.search_spaces.artefacts.criteria import BY_SWAP_IN, CRITERIA
from nasray.settings.experiment import ExperimentConfig
from nasray.settings.methods import Declaration
from nasray.trainables.settings.block_distillation import BlockDistillationConfig, BlockSearchConfig
from nasray.trainables.settings.self_supervision import SelfSupervisionConfig

RATINGS = "ratings"
"""The stage of a block-wise search: each cell's training and rating."""


def _mistakes(search: BlockSearchConfig, config: ExperimentConfig) -> Iterator[str]:
    """What of a config does not fit a block-wise search."""
    by, rating = config.ranking.by, CRITERIA[config.ranking.by].rating
    if rating is not None and rating.setting and not attrgetter(rating.setting)(search):
        key = f"searches.{config.searches.index(search)}.{rating.setting}"
        yield f"ranking.by: {by} must go with ratings {rating.place}: set {key} above 0, or ranking.by=score"


def _mistakes_without_labels(search: SelfSupervisionConfig, config: ExperimentConfig) -> Iterator[str]:
    if config.ranking.by == BY_SWAP_IN:
        yield (
            f"ranking.by must be score for a search of the method {search.method}, whose candidates do not stand in "
            "the teacher"
        )
    features = config.features
    if config.data.augment is None:
        yield f"data.augment must be given for a search of the method {search.method}, which compares views"
    if features.views is not None and features.views < 2:
        yield (
            f"features.views must be at least 2 for a search of the method {search.method}, or left out for fresh "
            f"ones, got {features.views}"
        )
    if features.held_out_views not in (0, num_rated_views(search)):
        yield (
            f"features.held_out_views must be left out, or be {num_rated_views(search)}, as many as this search's "
            f"rating compares, got {features.held_out_views}"
        )


def num_rated_views(search: BlockSearchConfig) -> int:
    """How many augmented views of each held-out image a rating compares."""
    return 2 if isinstance(search, SelfSupervisionConfig) and search.rated_views == "two" else 0


DNA = Declaration(
    settings=BlockDistillationConfig,
    stages=(RATINGS,),
    ranks=True,
    needs_teacher=True,
    trains_cells=True,
    imitates_teacher=True,
    mistakes=_mistakes,
)
DNA_PLUS_PLUS = replace(
    DNA, settings=SelfSupervisionConfig, imitates_teacher=False, mistakes=_mistakes_without_labels
)
