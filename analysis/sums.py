"""What adds up along an architecture: its rows in the tables of ratings, and the sums of their columns."""

from collections.abc import Sequence

import pandas as pd

from search_spaces.architecture import Architecture
from search_spaces.rating_table import CANDIDATE, IN_CHANNELS, OUT_CHANNELS


def sum_columns(
    architecture: str, tables: Sequence[pd.DataFrame], columns: Sequence[str]
) -> dict[str, float]:
    """The sum of each column over the rows of an architecture; NaN where one of them has no value.

    Sums are made from the first block on, as the ranking makes them.

    Args:
        architecture: Its ID.
        tables: The ratings of each block, as for `analysis.ranking.top_architectures`.
        columns: Names of columns of numbers; what a table lacks counts as missing.

    Raises:
        ValueError: The text is no architecture of the rated space.
    """
    rows = rows_of(Architecture.parse(architecture), tables)
    return {name: _sum([row.get(name) for row in rows]) for name in columns}


def rows_of(architecture: Architecture, tables: Sequence[pd.DataFrame]) -> list[pd.Series]:
    """The architecture's row in each table: its candidate, entered at the width at which the one before is left.

    Raises:
        ValueError: There are more or fewer blocks than tables, or a block has no such candidate.
    """
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


def _sum(values: Sequence[float | None]) -> float:
    total = 0.0
    for value in values:
        total += float("nan") if value is None or pd.isna(value) else value
    return total
