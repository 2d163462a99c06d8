"""Sums of columns of the tables of ratings along given architectures."""

import math
from collections.abc import Sequence
from fractions import Fraction

import pandas as pd

from nasray.analysis.exact.table_checks import as_fraction
from nasray.analysis.tables.rows import architecture_rows
from nasray.errors import UserError
from nasray.search_spaces.architecture import Architecture


def sum_columns(
    architecture: str, tables: Sequence[pd.DataFrame], columns: Sequence[str]
) -> dict[str, float]:
    """The sum of each column over the rows of an architecture; NaN where one of them has no value.

    Sums are rounded once, to the nearest float64, as those of a ranking.

    Args:
        architecture: Its ID.
        tables: The ratings of each block, as for `nasray.analysis.exact.ranking.top_architectures`.
        columns: Names of columns of numbers; what a table lacks counts as missing.

    Raises:
        UserError: The text is no architecture of the rated space, or a sum is beyond float64.
    """
    return {
        name: math.nan if total is None else nearest(name, total)
        for name, total in exact_sums(architecture, tables, columns).items()
    }


def exact_sums(
    architecture: str, tables: Sequence[pd.DataFrame], columns: Sequence[str]
) -> dict[str, Fraction | None]:
    """The same without rounding; None where a row has no value, or one that is not finite.

    Raises:
        UserError: The text is no architecture of the rated space.
    """
    places = architecture_rows([str(Architecture.parse(architecture))], tables)
    rows = [table.iloc[place] for table, (place,) in zip(tables, places, strict=True)]
    return {name: _sum([row.get(name) for row in rows]) for name in columns}


def nearest(name: str, total: Fraction) -> float:
    """The float64 nearest to the sum of a column.

    Raises:
        UserError: It is beyond float64.
    """
    try:
        return float(total)
    except OverflowError:
        raise UserError(f"sums of {name} must be below 1.8e308; give it in a larger unit") from None


def _sum(values: Sequence[float | None]) -> Fraction | None:
    if any(value is None or pd.isna(value) or math.isinf(value) for value in values):
        return None
    return sum(map(as_fraction, values), Fraction(0))
