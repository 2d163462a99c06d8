"""The criterion of a ranking: tables of ratings turned into tables whose rating is that of the criterion.

Whatever takes tables, the exact ranking, its proof and its error bars, then follows the criterion without knowing it.
What varies between training seeds is known of the plain ratings alone.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import (
    FAILURE,
    RATING,
    RATING_BATCHES,
    RATING_SEEDS,
    SWAP_IN,
    SWAP_IN_BATCHES,
)
from nasray.search_spaces.artefacts.criteria import BY_SCORE, BY_SWAP_IN, Criterion

_NOT_SWAPPED_IN = "not rated inside the teacher"
_BATCHES = {RATING: RATING_BATCHES, SWAP_IN: SWAP_IN_BATCHES}
# Per column of ratings the weight of each block.
BlockWeights = Mapping[str, Sequence[float]]


def tables_by(criterion: Criterion, tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """The tables with the criterion's values as `rating` and `rating_batches`.

    By "swap_in", candidates that were not swapped in have no rating and so take no part.

    Args:
        criterion: "score" for the ratings as they are, "swap_in" for the second rating.
        tables: The ratings of each block.

    Raises:
        UserError: If a block has no candidate with a second rating.
    """
    if criterion == BY_SCORE:
        return list(tables)
    lacking = [
        block for block, table in enumerate(tables) if SWAP_IN not in table or table[SWAP_IN].isna().all()
    ]
    if lacking:
        raise UserError(
            f"a ranking by {BY_SWAP_IN} needs candidates that were rated inside the teacher, block {lacking[0]} has "
            "none: rank by score, or search under a name of its own (name=...) with rating.swap_in_images above 0"
        )
    return [
        table.assign(
            **{
                RATING: table[SWAP_IN],
                RATING_BATCHES: table[SWAP_IN_BATCHES],
                RATING_SEEDS: None,
                FAILURE: _failures(table, table[SWAP_IN]),
            }
        )
        for table in tables
    ]


def weighted_tables(tables: Sequence[pd.DataFrame], weights: BlockWeights) -> list[pd.DataFrame]:
    """The tables with weighted sums of columns as `rating`, and of their batches as `rating_batches`.

    An architecture's score remains a sum over its blocks. Rows that lack one of the columns have no rating.

    Args:
        tables: The ratings of each block.
        weights: For "rating", "swap_in" or both the weight of each block, first block first.

    Raises:
        UserError: If there is not a weight per block, a block lacks a column, or a row's columns were measured on
            different batches.
    """
    for column, of_blocks in weights.items():
        if len(of_blocks) != len(tables):
            raise UserError(
                f"the weights of {column} must be one per block, of {len(tables)} blocks, got {len(of_blocks)}"
            )
    return [
        _weighted(block, table, {column: of_blocks[block] for column, of_blocks in weights.items()})
        for block, table in enumerate(tables)
    ]


def _weighted(block: int, table: pd.DataFrame, weights: Mapping[str, float]) -> pd.DataFrame:
    missing = [name for name in weights if name not in table]
    if missing:
        raise UserError(
            f"block {block} must have the column {missing[0]}; remove its tables and run the search again"
        )
    rating = pd.Series(table[list(weights)].to_numpy(np.float64) @ list(weights.values()), table.index)
    table = table.assign(**{RATING: rating, RATING_SEEDS: None, FAILURE: _failures(table, rating)})
    if RATING_BATCHES not in table:
        return table
    columns = [table[_BATCHES[name]] for name in weights]
    batches = [
        _add(block, of_row, list(weights.values())) if known else None
        for known, of_row in zip(rating.notna(), zip(*columns, strict=True), strict=True)
    ]
    return table.assign(**{RATING_BATCHES: pd.Series(batches, table.index, dtype=object)})


def _failures(table: pd.DataFrame, rating: pd.Series) -> pd.Series:
    """Why rows have no rating by the criterion: as the table says, and where they lack only the second one."""
    told = table[FAILURE] if FAILURE in table else pd.Series(None, table.index, dtype=object)
    return told.mask(table[RATING].notna() & rating.isna(), _NOT_SWAPPED_IN)


def _add(block: int, batches: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """The weighted sum of what a row has per batch, [B]."""
    numbers = {len(one) for one in batches}
    if len(numbers) > 1:
        raise UserError(
            f"the ratings that are added must be of the same held-out batches, in block {block} got "
            f"{sorted(numbers)} of them"
        )
    return np.sum([weight * np.asarray(one) for one, weight in zip(batches, weights, strict=True)], axis=0)
