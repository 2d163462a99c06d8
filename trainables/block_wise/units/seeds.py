"""Ratings by several supernets of a cell, which differ by their training seeds: their mean, and each for itself."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from nasray.search_spaces.artefacts import rating_table as columns
from nasray.search_spaces.artefacts.columns import (
    FAILURE,
    RATING,
    RATING_BATCHES,
    RATING_SEEDS,
)
from nasray.search_spaces.artefacts.criteria import further_ratings
from nasray.trainables.block_wise.units.cell import CellSpec
from nasray.trainables.core.trainable import Metrics


class SeedTableSpec(CellSpec):
    """Join the ratings by each of a cell's supernets.

    Attributes:
        target: The cell with the first of them.
    """

    kind: Literal["seed_table"] = "seed_table"

    def run(self) -> Iterator[Metrics]:
        """See `run_seed_table`."""
        return run_seed_table(self)

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The cell's table of ratings."""
        return (self.target.table,)


def run_seed_table(spec: SeedTableSpec) -> Iterator[Metrics]:
    """Leave the cell's table, see `mean_over_seeds`."""
    table = mean_over_seeds([columns.read(target.own_table) for target in spec.target.seeds])
    columns.write(table, spec.target.table)
    yield {"num_rated": len(table)}


def mean_over_seeds(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The table whose ratings are means over the tables, batch by batch; `rating_seeds` holds theirs.

    What has no rating in one of them has none; the same holds for each further rating.

    Args:
        tables: The same candidates in the same order, rated on the same batches by each supernet; one is given back.
    """
    if len(tables) == 1:
        return tables[0]
    rows = zip(*(table.to_dict("records") for table in tables), strict=True)
    return pd.DataFrame([_mean(of_seeds) for of_seeds in rows], columns=tables[0].columns)


def _mean(rows: Sequence[dict[Any, Any]]) -> dict[Any, Any]:
    """One row from those of each seed."""
    failures = [row for row in rows if not pd.isna(row[FAILURE])]
    if failures:
        return failures[0]
    batches = np.mean([row[RATING_BATCHES] for row in rows], axis=0)
    mean = rows[0] | {
        RATING: float(batches.mean()),
        RATING_BATCHES: batches,
        RATING_SEEDS: [row[RATING] for row in rows],
    }
    for rating in further_ratings():
        if any(pd.isna(row[rating.column]) for row in rows):
            mean |= {rating.column: np.nan, rating.batches: None}
        else:
            batches = np.mean([row[rating.batches] for row in rows], axis=0)
            mean |= {rating.column: float(batches.mean()), rating.batches: batches}
    return mean
