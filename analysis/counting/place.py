"""The place of a given architecture among all."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import pandas as pd

from nasray.analysis.counting.counting import Count, count_better
from nasray.analysis.tables.sums import exact_sums, nearest
from nasray.search_spaces.artefacts.columns import RATING


@dataclass(frozen=True, slots=True)
class Place:
    """Where an architecture stands.

    Attributes:
        score: Sum of the ratings of its candidates.
        costs: Sum of each cost that was asked for as it is, by name; NaN where a candidate has no value.
        num_better: How many architectures within the budgets have a lower score.
    """

    score: float
    costs: dict[str, Fraction | float]
    num_better: Count

    def keeps(self, budgets: Mapping[str, float]) -> bool:
        """Whether the architecture is within the budgets."""
        return all(self.costs[name] <= limit for name, limit in budgets.items())


def place_of(
    architecture: str,
    tables: Sequence[pd.DataFrame],
    costs: Sequence[str] = (),
    budgets: Mapping[str, float] | None = None,
) -> Place | None:
    """Score, costs and place of an architecture; None if one of its candidates has no rating.

    Args:
        architecture: Its ID.
        tables: The ratings of each block, as for `nasray.analysis.exact.ranking.top_architectures`.
        costs: Columns of costs to add up; those of the budgets are added up anyway.
        budgets: Upper bound, inclusive, of the sum of a cost. The architecture itself need not keep them.

    Raises:
        UserError: The text is no architecture of the rated space, or `count_better` refuses the tables or budgets.
    """
    names = list(dict.fromkeys([*costs, *(budgets or {})]))
    sums = exact_sums(architecture, tables, [RATING, *names])
    score = sums.pop(RATING)
    if score is None:
        return None
    known = {name: math.nan if total is None else total for name, total in sums.items()}
    return Place(nearest(RATING, score), known, count_better(tables, score, budgets))
