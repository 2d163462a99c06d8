"""The criterion of a ranking: tables of ratings turned into tables whose rating is that of the criterion.

Whatever takes tables, the exact ranking, its proof and its error bars, then follows the criterion without knowing it.
What varies between training seeds is known of the plain ratings alone.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import FAILURE, RATING, RATING_BATCHES, RATING_SEEDS
from nasray.search_spaces.artefacts.criteria import BY_SCORE, CRITERIA, ratings

# Per column of ratings the weight of each block.
BlockWeights = Mapping[str, Sequence[float]]


def tables_by(criterion: str, tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """The tables with the criterion's values as `rating` and `rating_batches`.

    By another one than "score", candidates that lack its rating have none and so take no part.

    Args:
        criterion: The name of one that a search measures: "score" for the ratings as they are.
        tables: The ratings of each block.

    Raises:
        UserError: If a block has no candidate with such a rating.
    """
    by = CRITERIA[criterion].rating
    if by is None:
        raise UserError(f"tables must be ranked by what a search measures, got {criterion}")
    if by.column == RATING:
        return list(tables)
    lacking = [
        block for block, table in enumerate(tables) if by.column not in table or table[by.column].isna().all()
    ]
    if lacking:
        raise UserError(
            f"a ranking by {criterion} needs candidates that were rated {by.place}, block {lacking[0]} has none: rank "
            f"by {BY_SCORE}, or search under a name of its own (name=...) with searches.0.{by.setting} above 0"
        )
    return [
        table.assign(
            **{
                RATING: table[by.column],
                RATING_BATCHES: table[by.batches],
                RATING_SEEDS: None,
                FAILURE: _failures(table, table[by.column], f"not rated {by.place}"),
            }
        )
        for table in tables
    ]


def weighted_tables(tables: Sequence[pd.DataFrame], weights: BlockWeights) -> list[pd.DataFrame]:
    """The tables with weighted sums of columns as `rating`, and of their batches as `rating_batches`.

    An architecture's score remains a sum over its blocks. Rows that lack one of the columns have no rating.

    Args:
        tables: The ratings of each block.
        weights: For one or several columns of ratings the weight of each block, first block first.

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
    lacking = (
        f"not rated {' or '.join(one.place for one in ratings() if one.place and one.column in weights)}"
    )
    table = table.assign(**{RATING: rating, RATING_SEEDS: None, FAILURE: _failures(table, rating, lacking)})
    if RATING_BATCHES not in table:
        return table
    batches_of = {one.column: one.batches for one in ratings()}
    columns = [table[batches_of[name]] for name in weights]
    batches = [
        _add(block, of_row, list(weights.values())) if known else None
        for known, of_row in zip(rating.notna(), zip(*columns, strict=True), strict=True)
    ]
    return table.assign(**{RATING_BATCHES: pd.Series(batches, table.index, dtype=object)})


def _failures(table: pd.DataFrame, rating: pd.Series, lacking: str) -> pd.Series:
    """Why rows have no rating by the criterion: as the table says, and `lacking` where they lack only a further one."""
    told = table[FAILURE] if FAILURE in table else pd.Series(None, table.index, dtype=object)
    return told.mask(table[RATING].notna() & rating.isna(), lacking)


def _add(block: int, batches: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """The weighted sum of what a row has per batch, [B]."""
    numbers = {len(one) for one in batches}
    if len(numbers) > 1:
        raise UserError(
            f"the ratings that are added must be of the same held-out batches, in block {block} got "
            f"{sorted(numbers)} of them"
        )
    return np.sum([weight * np.asarray(one) for one, weight in zip(batches, weights, strict=True)], axis=0)
