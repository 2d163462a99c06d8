"""Criteria that a ranking may be made by: sums over an architecture's blocks, the lower the better.

Each is one entry here: what stores, extends, joins, ranks by or shows ratings goes by these entries.
"""

from dataclasses import dataclass
from typing import Final

from nasray.search_spaces.artefacts.columns import (
    RATING,
    RATING_BATCHES,
    SCORE,
    SWAP_IN,
    SWAP_IN_BATCHES,
    SWAP_IN_SCORE,
)

BY_SCORE: Final = "score"
BY_SWAP_IN: Final = "swap_in"
BY_CALIBRATED: Final = "calibrated"


@dataclass(frozen=True, slots=True)
class Rating:
    """Where a table of ratings holds one of its ratings, and what makes it.

    Attributes:
        column: The candidates' ratings.
        batches: What each is the mean of: a value per held-out batch.
        place: Where candidates are rated, as in "rated inside the teacher"; empty for the first rating.
        setting: The setting of a search that makes it, above 0; empty for the first rating, which all have.
    """

    column: str
    batches: str
    place: str = ""
    setting: str = ""


@dataclass(frozen=True, slots=True)
class Criterion:
    """What architectures may be ranked by.

    Attributes:
        name: In `ranking.by` and `nasray rank --by`.
        score: The column of its sums in tables of architectures.
        noun: What a sum is called.
        axis: What stands at an axis of sums.
        help: What is summed, as a part of the sentence "sum of the ratings, ... or ...".
        rating: What is summed; None: a weighted sum of ratings, with weights that trained networks give.
    """

    name: str
    score: str
    noun: str
    axis: str
    help: str
    rating: Rating | None


CRITERIA = {
    criterion.name: criterion
    for criterion in (
        Criterion(
            BY_SCORE,
            SCORE,
            noun="score",
            axis="score (lower is better)",
            help="sum of the ratings",
            rating=Rating(RATING, RATING_BATCHES),
        ),
        Criterion(
            BY_SWAP_IN,
            SWAP_IN_SCORE,
            noun="swap-in score",
            axis="swap-in score (lower is better)",
            help="of those inside the teacher",
            rating=Rating(SWAP_IN, SWAP_IN_BATCHES, "inside the teacher", "rating.swap_in_images"),
        ),
        Criterion(
            BY_CALIBRATED,
            BY_CALIBRATED,
            noun="calibrated score",
            axis="calibrated score, by weights from the other networks",
            help="weighted by block as trained networks say",
            rating=None,
        ),
    )
}
"""Every criterion by its name."""


def measured_criteria() -> dict[Criterion, Rating]:
    """The criteria that a search measures, which its config may rank by."""
    return {one: one.rating for one in CRITERIA.values() if one.rating is not None}


def ratings() -> list[Rating]:
    """The ratings that a table may hold, the first one, which all tables have, in front."""
    return list(measured_criteria().values())


def further_ratings() -> list[Rating]:
    """Those beside the first one, which a candidate may lack."""
    return [rating for rating in ratings() if rating.column != RATING]
