"""What adds up along an architecture: the sums of columns of the tables of ratings."""

from collections.abc import Sequence

import pandas as pd

from analysis.rows import architecture_rows
from search_spaces.architecture import Architecture


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
    places = architecture_rows([str(Architecture.parse(architecture))], tables)
    rows = [table.iloc[place] for table, (place,) in zip(tables, places, strict=True)]
    return {name: _sum([row.get(name) for row in rows]) for name in columns}


def _sum(values: Sequence[float | None]) -> float:
    total = 0.0
    for value in values:
        total += float("nan") if value is None or pd.isna(value) else value
    return total
