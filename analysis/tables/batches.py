"""Ratings on different numbers of held-out batches, made comparable.

All rows are rated on the first batches, some on further ones (see `rating_table.extend`). Batches are not equally hard,
so that means over different ones must not be compared: a row without the further batches takes part with what it has
above or below those that have them, on its own batches, added to what these have on all.

Source: the difference estimator of double sampling, W. G. Cochran, Sampling Techniques, 3rd edition, chapter 12, with
the mean of the rows that have all batches as the other variable, and a slope of 1. It leans a little against rows
without them, where rows were chosen to have them since they were good on the first.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import RATING, RATING_BATCHES
from nasray.search_spaces.artefacts.criteria import ratings

Floats = NDArray[np.float64]


def comparable(table: pd.DataFrame) -> pd.DataFrame:
    """The table with ratings that may be compared; itself where all rows have as many batches.

    Args:
        table: The ratings of a block, all its cells.
    """
    for rating in ratings():
        name = rating.column
        if name not in table:
            continue
        values = _values(table, name, rating.batches)
        if _are_unequal(values):
            weights = np.full(values.shape[1], 1 / values.shape[1])
            table = table.assign(**{name: weighted_ratings(values, weights)})
    return table


def block_batches(tables: Sequence[pd.DataFrame]) -> list[Floats]:
    """The ratings per held-out batch of each block, [rows, B]; NaN in rows without a rating, and where one has fewer.

    Raises:
        UserError: If a block has no batches, or a row with a rating none.
    """
    found = []
    for block, table in enumerate(tables):
        if RATING_BATCHES not in table:
            raise UserError(
                f"block {block} must have the column {RATING_BATCHES}; remove its tables and run the search again"
            )
        values = _values(table, RATING, RATING_BATCHES)
        if np.isnan(values[table[RATING].notna(), :1]).any() or not values.size:
            raise UserError(f"block {block} must have {RATING_BATCHES} in each row with a rating")
        found.append(values)
    return found


def padded(rows: Sequence[Sequence[float]]) -> Floats:
    """The values of each row, [N, B], of the most that one has; NaN behind those of a row that has fewer."""
    values = np.full((len(rows), max(map(len, rows), default=0)), np.nan)
    for place, row in enumerate(rows):
        values[place, : len(row)] = row
    return values


def weighted_ratings(values: Floats, weights: Floats) -> Floats:
    """The rating of each row with the batches weighed so, [N]; NaN in rows without a rating.

    Args:
        values: The ratings of rows per batch, [N, B]; NaN where a row has no such batch, or no rating.
        weights: Of all batches, at least B, of sum 1; where no row has the last ones, the others' are raised to it.
    """
    num_batches = values.shape[1]
    if len(weights) > num_batches:
        weights = weights[:num_batches] / weights[:num_batches].sum()
    ratings = values @ weights
    if not _are_unequal(values):
        return ratings
    own = ~np.isnan(values)
    whole, short = own.all(axis=1), own.any(axis=1) & ~own.all(axis=1)
    of_batches = values[whole].mean(axis=0)
    own_weights = own[short] * weights
    above = np.nansum(own_weights * (values[short] - of_batches), axis=1) / own_weights.sum(axis=1)
    ratings[short] = of_batches @ weights + above
    return ratings


def _values(table: pd.DataFrame, rating: str, batches: str) -> Floats:
    """The batches of the rows that have a rating, [rows, B]."""
    rated = table[rating].notna()
    return padded([row if known else () for row, known in zip(table[batches], rated, strict=True)])


def _are_unequal(values: Floats) -> bool:
    """Whether some rows with a rating have fewer batches than others."""
    missing = np.isnan(values)
    return bool((missing.any(axis=1) & ~missing.all(axis=1)).any())
