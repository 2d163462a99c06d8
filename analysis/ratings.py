"""The ratings of a run, joined to one table per block."""

import re
from pathlib import Path

import pandas as pd

from search_spaces import rating_table

_BLOCK = re.compile(r"block_(0|[1-9][0-9]*)")


def load_ratings(folder: Path) -> list[pd.DataFrame]:
    """The checked ratings below a run's folder, one table per block: the block's cells in the order of their names.

    They stand in `ratings/block_<k>/<cell>.parquet`, for the blocks from 0 on.

    Raises:
        FileNotFoundError: If the folder has no ratings.
        ValueError: If a block or its ratings are missing, a file is damaged or not a table of ratings, or a
            candidate stands in several.
    """
    ratings = Path(folder) / "ratings"
    if not ratings.is_dir():
        raise FileNotFoundError(
            f"{folder} must have a folder ratings, which a search leaves there; it has none"
        )
    blocks = sorted(int(match[1]) for path in ratings.iterdir() if (match := _BLOCK.fullmatch(path.name)))
    if not blocks:
        raise FileNotFoundError(
            f"{ratings} must have a folder block_<k> for each block from 0 on, it has none"
        )
    missing = sorted(set(range(blocks[-1])) - set(blocks))
    if missing:
        raise ValueError(f"{ratings} must have every block up to {blocks[-1]}, it lacks {missing}")
    return [_load_block(ratings / f"block_{block}") for block in blocks]


def _load_block(folder: Path) -> pd.DataFrame:
    paths = sorted(folder.glob("*.parquet"))
    if not paths:
        raise ValueError(f"{folder} must have a table of ratings for each of its cells, it has none")
    frame = pd.concat([rating_table.read(path) for path in paths], ignore_index=True)
    try:
        rating_table.check(frame)
    except ValueError as error:
        raise ValueError(f"{folder} must hold one table of ratings in several files: {error}") from error
    return frame
