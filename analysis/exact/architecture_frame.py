"""Architectures as a table: their IDs, scores, and the sums of what they cost."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasray.analysis.exact.chain import Chain, take
from nasray.analysis.exact.exact_sums import ExactSums
from nasray.analysis.exact.table_checks import check_numeric
from nasray.errors import UserError
from nasray.search_spaces.architecture import SEPARATOR
from nasray.search_spaces.artefacts.columns import ARCHITECTURE, CANDIDATE, SCORE
from nasray.search_spaces.artefacts.costs import COSTS


def architecture_frame(
    tables: Sequence[pd.DataFrame],
    chain: Chain,
    rows: NDArray[np.int32] | NDArray[np.int64],
    budgets: Collection[str],
) -> pd.DataFrame:
    """A row per architecture: `architecture` (its ID), `score`, and the sum of each cost that all tables have.

    Args:
        tables: The ratings of each block, of which `chain` was made.
        chain: The blocks.
        rows: Per architecture the row of each of them, [N, K].
        budgets: Names of columns that add up besides the known costs, see `nasray.search_spaces.artefacts.costs`.

    Raises:
        UserError: If the sums of a cost are beyond all numbers that a table holds.
    """
    chosen = [
        table.iloc[block.table_rows[of_block]]
        for table, block, of_block in zip(tables, chain.blocks, rows.T, strict=True)
    ]
    names = [table[CANDIDATE].to_numpy(object) for table in chosen]
    score = chain.score
    columns: dict[str, object] = {
        ARCHITECTURE: [SEPARATOR.join(candidates) for candidates in zip(*names, strict=True)],
        SCORE: score.sums.nearest(score.sums.total(take(score.blocks, rows))),
    }
    for cost in _summed_costs(tables, budgets):
        columns[cost] = _sums(cost, [table[cost] for table in chosen])
    return pd.DataFrame(columns).astype({ARCHITECTURE: str})


def check_summed_costs(tables: Sequence[pd.DataFrame], budgets: Collection[str]) -> None:
    """Refuse tables with costs that `architecture_frame` could not add up.

    Raises:
        UserError: One does not hold numbers.
    """
    for index, table in enumerate(tables):
        check_numeric(index, table, _summed_costs(tables, budgets))


def _summed_costs(tables: Sequence[pd.DataFrame], budgets: Collection[str]) -> list[str]:
    """The columns that add up and that all tables have, in the order of the first table."""
    return [
        column
        for column in tables[0].columns
        if (column in COSTS or column in budgets) and all(_has(table, column) for table in tables)
    ]


def _has(table: pd.DataFrame, column: str) -> bool:
    """Whether a table has a column, and not merely nulls for one that came with a later version."""
    return column in table.columns and (not len(table) or bool(table[column].notna().any()))


def _sums(cost: str, values: Sequence[pd.Series]) -> NDArray[np.generic]:
    """The sums of a value of each block, as integers where all are; missing where one is."""
    if all(pd.api.types.is_integer_dtype(of_block.dtype) and of_block.notna().all() for of_block in values):
        if sum(max(map(abs, of_block.tolist()), default=0) for of_block in values) < 2**63:
            return np.sum([of_block.to_numpy(np.int64) for of_block in values], axis=0, dtype=np.int64)
        sums = np.array([sum(one) for one in zip(*(of_block.tolist() for of_block in values), strict=True)])
        if sums.dtype.kind not in "iu":
            raise UserError(f"sums of {cost} must be whole numbers of 64 bits; give it in a larger unit")
        return sums
    floats = np.array([of_block.to_numpy(np.float64, na_value=np.nan) for of_block in values])
    if not np.isfinite(floats).all():
        return floats.sum(axis=0)
    exact = ExactSums.of(list(floats))
    try:
        return exact.nearest(exact.total(floats))
    except OverflowError:
        raise UserError(f"sums of {cost} must be below 1.8e308; give it in a larger unit") from None
