"""The ratings of a run, joined to one table per block, with the costs of candidates that were measured."""

import re
from pathlib import Path

import pandas as pd

from nasray.analysis.tables.batches import comparable
from nasray.analysis.tables.measured_costs import with_measured_costs
from nasray.errors import UserError
from nasray.search_spaces.artefacts import rating_table
from nasray.search_spaces.artefacts.run_files import RunFiles

_BLOCK = re.compile(r"block_(0|[1-9][0-9]*)")


class NoRatingsError(UserError, FileNotFoundError):
    """A run's folder has no ratings."""


def load_ratings(folder: Path) -> list[pd.DataFrame]:
    """The checked ratings below a run's folder, one table per block: the block's cells in the order of their names.

    They stand in `ratings/block_<k>/<cell>.parquet`, for the blocks from 0 on. A cost that is measured, such as
    `latency_ms`, is a column, too.

    Raises:
        NoRatingsError: If the folder has no ratings.
        UserError: If a block or its ratings are missing, a file is damaged or not a table of ratings, or a
            candidate stands in several; or a candidate lacks a measured cost that others have.
    """
    ratings = RunFiles(Path(folder)).ratings
    if not ratings.is_dir():
        raise NoRatingsError(f"{folder} must have a folder ratings, which a search leaves there; it has none")
    blocks = sorted(int(match[1]) for path in ratings.iterdir() if (match := _BLOCK.fullmatch(path.name)))
    if not blocks:
        raise NoRatingsError(f"{ratings} must have a folder block_<k> for each block from 0 on, it has none")
    missing = sorted(set(range(blocks[-1])) - set(blocks))
    if missing:
        raise UserError(f"{ratings} must have every block up to {blocks[-1]}, it lacks {missing}")
    return [
        with_measured_costs(_load_block(ratings / f"block_{block}"), Path(folder), block) for block in blocks
    ]


def _load_block(folder: Path) -> pd.DataFrame:
    paths = sorted(folder.glob("*.parquet"))
    if not paths:
        raise UserError(f"{folder} must have a table of ratings for each of its cells, it has none")
    frame = pd.concat([rating_table.read(path) for path in paths], ignore_index=True)
    try:
        rating_table.check(frame)
    except ValueError as error:
        raise UserError(f"{folder} must hold one table of ratings in several files: {error}") from error
    return comparable(frame)
