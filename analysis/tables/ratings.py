"""The ratings of a run, joined to one table per block, with the candidates' latencies where these are measured."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from nasray.analysis.tables.batches import comparable
from nasray.errors import UserError
from nasray.search_spaces.artefacts import rating_table
from nasray.search_spaces.artefacts.columns import CANDIDATE, IN_CHANNELS, LATENCY_MS
from nasray.search_spaces.artefacts.run_files import RunFiles
from nasray.search_spaces.files.json_file import read_object

_BLOCK = re.compile(r"block_(0|[1-9][0-9]*)")


class NoRatingsError(UserError, FileNotFoundError):
    """A run's folder has no ratings."""


def load_ratings(folder: Path) -> list[pd.DataFrame]:
    """The checked ratings below a run's folder, one table per block: the block's cells in the order of their names.

    They stand in `ratings/block_<k>/<cell>.parquet`, for the blocks from 0 on. Where latencies are measured, see
    `has_latencies`, they have the column `latency_ms`.

    Raises:
        NoRatingsError: If the folder has no ratings.
        UserError: If a block or its ratings are missing, a file is damaged or not a table of ratings, or a
            candidate stands in several; or a candidate has no latency where others have.
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
    tables = [_load_block(ratings / f"block_{block}") for block in blocks]
    if not has_latencies(folder):
        return tables
    return [_with_latencies(table, Path(folder), block) for block, table in enumerate(tables)]


def has_latencies(folder: Path) -> bool:
    """Whether a whole measurement of latencies is in a run's folder; a part of one counts as none.

    Raises:
        UserError: The file that says so is damaged.
    """
    again = f"measure anew by {_measurement(folder)}"
    figures = read_object(RunFiles(Path(folder)).latency_figures, "device", "clock", "scale", again=again)
    return figures is not None


def check_budgets_known(folder: Path, budgets: Mapping[str, float]) -> None:
    """Refuse a budget of latency where none is measured.

    Raises:
        UserError: There is such a budget and no measurement.
    """
    if LATENCY_MS in budgets and not has_latencies(folder):
        raise UserError(
            f"a budget of {LATENCY_MS} needs latencies, {folder} has none: measure them first, by "
            f"{_measurement(folder)}"
        )


def _with_latencies(table: pd.DataFrame, folder: Path, block: int) -> pd.DataFrame:
    """The table with the measured latency of each row."""
    place = RunFiles(folder).latencies / f"block_{block}"
    try:
        parts = [pd.read_parquet(path) for path in sorted(place.glob("*.parquet"))]
        latencies = pd.concat(parts)[[CANDIDATE, IN_CHANNELS, LATENCY_MS]]
    except (OSError, ValueError, KeyError) as error:  # Arrow's errors are ValueErrors
        raise UserError(f"{place} must hold the latencies of a block: {error}; {_again(folder)}") from error
    if latencies.duplicated([CANDIDATE, IN_CHANNELS]).any():
        raise UserError(f"{place} must hold one latency of a candidate, it holds several; {_again(folder)}")
    _check_latencies(latencies, place, folder)
    joined = table.merge(latencies, "left", [CANDIDATE, IN_CHANNELS])
    missing = joined.loc[joined[LATENCY_MS].isna(), CANDIDATE]
    if len(missing):
        raise UserError(
            f"{place} must hold the latency of every candidate, it lacks {len(missing)} of {len(joined)}, the first "
            f"{missing.iloc[0]}; {_again(folder)}"
        )
    return joined


def _check_latencies(latencies: pd.DataFrame, place: Path, folder: Path) -> None:
    """Refuse latencies that are no finite numbers from 0 on.

    Raises:
        UserError: There is one.
    """
    values = latencies[LATENCY_MS]
    numbers = pd.api.types.is_float_dtype(values.dtype) or pd.api.types.is_integer_dtype(values.dtype)
    faulty = latencies[~(values.ge(0) & values.lt(np.inf))] if numbers else latencies
    if len(faulty):
        first = faulty.iloc[0]
        raise UserError(
            f"{place} must hold a finite number of milliseconds from 0 on for each candidate, for {first[CANDIDATE]} "
            f"it holds {first[LATENCY_MS]!r}; {_again(folder)}"
        )


def _again(folder: Path) -> str:
    return f"measure anew by {_measurement(folder)}, or remove {RunFiles(folder).latencies}"


def _measurement(folder: Path) -> str:
    return f"`nasray latency {shlex.quote(str(folder))}`"


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
