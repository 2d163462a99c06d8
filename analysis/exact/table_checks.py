"""Checks of tables and budgets before they are ranked."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from numbers import Rational, Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasray.analysis.exact.unrated import unrated_in_block
from nasray.errors import UserError
from nasray.search_spaces.architecture import SEPARATOR
from nasray.search_spaces.artefacts.columns import CANDIDATE, IN_CHANNELS, OUT_CHANNELS, RATING

LARGEST_WHOLE = 2**53  # up to here float64 holds every whole number


def check_budgets(budgets: Mapping[str, Any]) -> dict[str, Fraction]:
    """The budgets as exact numbers.

    Raises:
        UserError: One is no finite number from 0 on.
    """
    limits = {}
    for name, limit in budgets.items():
        is_number = isinstance(limit, Real) and not isinstance(limit, bool | np.bool_)
        if not is_number or not math.isfinite(limit) or limit < 0:
            raise UserError(f"the budget of {name} must be a finite number from 0 on, got {limit!r}")
        limits[name] = as_fraction(limit)
    return limits


def as_fraction(number: Any) -> Fraction:
    """A finite real number as it is."""
    if isinstance(number, Rational | np.integer):
        return Fraction(int(number)) if isinstance(number, np.integer) else Fraction(number)
    return Fraction(float(number))


def usable_rows(index: int, table: pd.DataFrame, costs: Sequence[str]) -> pd.DataFrame:
    """The rated rows of a block's table, with their positions in it as index and numbers as float64.

    Args:
        index: The block's.
        table: Its candidates.
        costs: The columns that add up besides the ratings.

    Raises:
        UserError: If a column is missing or holds what cannot be summed exactly, or no candidate is rated.
    """
    for name in (CANDIDATE, RATING, *costs):
        if name not in table.columns:
            raise UserError(f"block {index} must have the column {name}, it has {', '.join(table.columns)}")
    _check_names(index, table[CANDIDATE])
    check_numeric(index, table, [RATING, *costs])
    numbers = {name: table[name].to_numpy(np.float64, na_value=np.nan) for name in (RATING, *costs)}
    rated = ~np.isnan(numbers[RATING])
    if not rated.any():
        unrated = "; ".join(map(str, unrated_in_block(index, table)))
        raise UserError(
            f"block {index} must have a rated candidate, it has none in {len(table)} rows: {unrated}"
        )
    for name, values in numbers.items():
        _check_values(index, table, name, values, rated)
    widths = [name for name in (IN_CHANNELS, OUT_CHANNELS) if name in table.columns]
    frame = pd.DataFrame({name: table[name].array for name in (CANDIDATE, *widths)} | numbers)
    return frame if rated.all() else frame[rated]


def check_numeric(index: int, table: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse columns of a block's table that do not hold numbers.

    Raises:
        UserError: There is one.
    """
    for name in names:
        dtype = table[name].dtype
        if not pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_complex_dtype(dtype):
            raise UserError(f"column {name} of block {index} must hold numbers, it holds {dtype}")


def _check_names(index: int, names: pd.Series) -> None:
    if not pd.api.types.is_string_dtype(names) or names.isna().any():
        raise UserError(f"column {CANDIDATE} of block {index} must hold texts only")
    separated = names[names.str.contains(SEPARATOR, regex=False)]
    if len(separated):
        raise UserError(f'candidates must not contain "{SEPARATOR}", got {separated.iloc[0]!r}')


def _check_values(
    index: int, table: pd.DataFrame, name: str, values: NDArray[np.float64], rated: NDArray[np.bool_]
) -> None:
    """Refuse values of rated rows that are not finite, or whole numbers that float64 does not hold."""
    requirement, faulty = "be finite", ~np.isfinite(values)
    if not faulty.any() and pd.api.types.is_integer_dtype(table[name].dtype):
        # The first number that float64 does not hold is rounded to this.
        requirement, faulty = "lie within 2^53, give it in a larger unit", np.abs(values) >= LARGEST_WHOLE
        faulty[faulty] = [abs(value) > LARGEST_WHOLE for value in table[name][faulty].tolist()]
    if (faulty := faulty & rated).any():
        value, candidate = table[name][faulty].iloc[0], table[CANDIDATE][faulty].iloc[0]
        raise UserError(f"{name} must {requirement}; in block {index} got {value} of candidate {candidate!r}")
