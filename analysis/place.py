"""The place of a given architecture among all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.counting import Count, count_better
from search_spaces.architecture import Architecture
from search_spaces.rating_table import CANDIDATE, IN_CHANNELS, OUT_CHANNELS, RATING


@dataclass(frozen=True, slots=True)
class Place:
    """Where an architecture stands.

    Attributes:
        score: Sum of the ratings of its candidates.
        costs: Sum of each cost that was asked for, by name.
        num_better: How many architectures within the budgets have a lower score.
    """

    score: float
    costs: dict[str, float]
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
        tables: The ratings of each block, as for `analysis.ranking.top_architectures`.
        costs: Columns of costs to add up; those of the budgets are added up anyway.
        budgets: Upper bound, inclusive, of the sum of a cost. The architecture itself need not keep them.

    Raises:
        ValueError: The text is no architecture of the rated space, or `count_better` refuses the tables or budgets.
    """
    rows = _rows(Architecture.parse(architecture), tables)
    if any(pd.isna(row[RATING]) for row in rows):
        return None
    score = 0.0
    for row in rows:  # from the first block on, as the ranking adds up
        score += row[RATING]
    num_better = count_better(tables, score, budgets)
    names = dict.fromkeys([*costs, *(budgets or {})])
    sums = {name: sum(row[name] for row in rows) for name in names}
    return Place(score, sums, num_better)


def _rows(architecture: Architecture, tables: Sequence[pd.DataFrame]) -> list[pd.Series]:
    """The architecture's row in each table: its candidate, entered at the width at which the one before is left."""
    if len(architecture.candidates) != len(tables):
        raise ValueError(
            f"an architecture must have a candidate for each of the {len(tables)} blocks, got {architecture}"
        )
    rows: list[pd.Series] = []
    width: int | None = None
    for block, (candidate, table) in enumerate(zip(architecture.candidates, tables, strict=True)):
        matches = table[CANDIDATE] == str(candidate)
        entered = ""
        if width is not None and IN_CHANNELS in table:
            matches &= table[IN_CHANNELS] == width
            entered = f", entered at {width}"
        if not matches.any():
            raise ValueError(f"the candidates of block {block} must have one named {candidate}{entered}")
        rows.append(table[matches].iloc[0])
        width = rows[-1].get(OUT_CHANNELS)
    return rows
