"""Which architectures a ranking speaks of, and which it leaves out, since a candidate of theirs has no rating."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import pandas as pd

from nasray.analysis.counting.counting import Count, count_feasible
from nasray.analysis.exact.unrated import UNRATED, Unrated, unrated_candidates
from nasray.search_spaces.artefacts.columns import IN_CHANNELS, OUT_CHANNELS, RATING

NUM_FEASIBLE, NUM_LEFT_OUT = "num_feasible", "num_left_out"


@dataclass(frozen=True, slots=True)
class Coverage:
    """The architectures within the budgets: those that are ranked, and those that are not.

    Attributes:
        ranked: How many of them are made of rated candidates alone.
        left_out: How many others there are.
        unrated: The candidates without a rating, whether an architecture within the budgets has one of them or not.
    """

    ranked: Count
    left_out: Count
    unrated: tuple[Unrated, ...]

    @property
    def is_whole(self) -> bool:
        """Whether certainly every architecture within the budgets is ranked."""
        return self.left_out.upper == 0

    @classmethod
    def read(cls, data: Mapping[Any, Any]) -> Self:
        """From what `data` gave, whose numbers may have become texts; other keys beside do not matter."""
        ranked, left_out = (
            Count(*(int(data[name][bound]) for bound in ("lower", "upper")))
            for name in (NUM_FEASIBLE, NUM_LEFT_OUT)
        )
        return cls(ranked, left_out, tuple(Unrated.read(one) for one in data[UNRATED]))

    def data(self) -> dict[str, Any]:
        """As plain data, under the keys `num_feasible`, `num_left_out` and `unrated`."""
        counts = {NUM_FEASIBLE: asdict(self.ranked), NUM_LEFT_OUT: asdict(self.left_out)}
        return {**counts, UNRATED: [one.data() for one in self.unrated]}


def cover(tables: Sequence[pd.DataFrame], budgets: Mapping[str, float] | None = None) -> Coverage:
    """What a ranking of these tables within these budgets speaks of.

    The numbers are exact wherever `count_feasible` is, in particular without budgets; they take as
    long as that, and as long again for each block in which candidates have no rating.

    Args:
        tables: The ratings of each block, as for `top_architectures`; rows without a rating have their
            costs all the same.
        budgets: Upper bound, inclusive, of the sum of a cost.

    Raises:
        UserError: If the tables or the budgets are not what `top_architectures` asks for.
    """
    return Coverage(
        ranked=count_feasible(tables, budgets),
        left_out=_count_left_out(tables, budgets),
        unrated=unrated_candidates(tables),
    )


def _count_left_out(tables: Sequence[pd.DataFrame], budgets: Mapping[str, float] | None) -> Count:
    """The number of architectures within the budgets that have a row without a rating.

    Each is counted at the first such row, so that bounds are as close as they are for so few architectures; the
    difference of two counts would have the bounds of both.
    """
    anything = [table.assign(**{RATING: 0.0}) for table in tables]
    lower = upper = 0
    for block, table in enumerate(tables):
        rated = [before[before[RATING].notna()] for before in tables[:block]]
        part = [*rated, anything[block][table[RATING].isna()], *anything[block + 1 :]]
        if _has_chain(part):
            counted = count_feasible(part, budgets)
            lower, upper = lower + counted.lower, upper + counted.upper
    return Count(lower, upper)


def _has_chain(tables: Sequence[pd.DataFrame]) -> bool:
    """Whether rows whose widths meet lead through all tables."""
    widths: set[int] | None = None
    for table in tables:
        reached = table
        if widths is not None and IN_CHANNELS in table:
            reached = table[table[IN_CHANNELS].isin(widths)]
        if reached.empty:
            return False
        widths = set(reached[OUT_CHANNELS]) if OUT_CHANNELS in table else None
    return True
