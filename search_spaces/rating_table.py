"""The table of a cell's ratings: its columns and types, for those who write it and those who read it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from search_spaces.atomic_file import replacing

CANDIDATE = "candidate"
CELL = "cell"
DEPTH = "depth"
WIDTH = "width"
OPERATIONS = "operations"
IN_CHANNELS = "in_channels"
OUT_CHANNELS = "out_channels"
RATING = "rating"
RATING_BATCHES = "rating_batches"
SWAP_IN = "swap_in"
SWAP_IN_BATCHES = "swap_in_batches"
NUM_PARAMS = "num_params"
NUM_MACS = "num_macs"
FAILURE = "failure"

SCHEMA = pa.schema(
    [
        pa.field(CANDIDATE, pa.string(), nullable=False),
        pa.field(CELL, pa.string(), nullable=False),
        pa.field(DEPTH, pa.int64(), nullable=False),
        pa.field(WIDTH, pa.int64(), nullable=False),
        pa.field(OPERATIONS, pa.string(), nullable=False),
        pa.field(IN_CHANNELS, pa.int64(), nullable=False),
        pa.field(OUT_CHANNELS, pa.int64(), nullable=False),
        pa.field(RATING, pa.float64()),
        pa.field(RATING_BATCHES, pa.list_(pa.float64())),
        pa.field(SWAP_IN, pa.float64()),
        pa.field(SWAP_IN_BATCHES, pa.list_(pa.float64())),
        pa.field(NUM_PARAMS, pa.int64(), nullable=False),
        pa.field(NUM_MACS, pa.int64(), nullable=False),
        pa.field(FAILURE, pa.string()),
    ]
)
OPTIONAL = (SWAP_IN, SWAP_IN_BATCHES)


def check(frame: pd.DataFrame) -> None:
    """Holds `frame` to what every table of ratings must be.

    One row per candidate and entry width (`in_channels`). `rating` is finite, lower is better; it is NaN
    exactly where `failure` says why. `rating_batches` holds one value per held-out batch, shared by all. `swap_in`
    and `swap_in_batches` are a second rating of the same kind, on the same batches; a frame may lack them both, and
    a candidate that has a rating may have none of them.

    Raises:
        ValueError: If a column is missing or unknown, a candidate stands twice, a rating is missing without a
            failure or given beside one, numbers of batches differ, or a cost is negative.
    """
    missing = [name for name in SCHEMA.names if name not in frame.columns and name not in OPTIONAL]
    unknown = [str(name) for name in frame.columns if name not in SCHEMA.names]
    if missing or unknown:
        raise ValueError(
            f"a table of ratings must have the columns {', '.join(SCHEMA.names)};"
            f" missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )
    _refuse(frame, frame.duplicated([CANDIDATE, IN_CHANNELS]), "must stand only once per in_channels")
    failed = frame[FAILURE].notna()
    finite = np.isfinite(frame[RATING].astype(float))
    _refuse(frame, ~failed & ~finite, "must have a finite rating or say its failure")
    _refuse(frame, failed & frame[RATING].notna(), "must not have a rating beside its failure")
    _refuse(frame, (frame[NUM_PARAMS] < 0) | (frame[NUM_MACS] < 0), "must not have a negative cost")
    batches = frame.loc[~failed, RATING_BATCHES]
    if any(name in frame.columns for name in OPTIONAL):
        batches = pd.concat([batches, _swapped_in(frame, failed)])
    lengths = set(batches.map(len))
    if len(lengths) > 1:
        raise ValueError(f"candidates must share their held-out batches, got {sorted(lengths)} of them")


def write(frame: pd.DataFrame, path: Path) -> None:
    """Leaves `frame` as parquet at `path`, whole or not at all, whatever interrupts; nulls where it lacks a column.

    Raises:
        ValueError: If `frame` is not a table of ratings, see `check`.
    """
    check(frame)
    frame = frame.assign(**{name: None for name in OPTIONAL if name not in frame.columns})
    table = pa.Table.from_pandas(frame, schema=SCHEMA, preserve_index=False).replace_schema_metadata()
    # Pages have a checksum, the footer has none: all that it holds is seen to be wrong on reading.
    with replacing(path) as temporary:
        pq.write_table(table, temporary, write_page_checksum=True, write_statistics=False, store_schema=False)


def read(path: Path) -> pd.DataFrame:
    """The table of ratings at `path`, checked; `rating_batches` holds arrays, a missing failure is null.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or not a table of ratings; the text names the file.
    """
    try:
        # Without partitioning, since folders named like "a=b" would else become columns.
        table = pq.read_table(path, page_checksum_verification=True, partitioning=None)
        if not table.schema.equals(SCHEMA):
            raise ValueError(f"its columns must be\n{SCHEMA}\ngot\n{table.schema}")
        frame = table.to_pandas()
        check(frame)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ValueError(f"{path} must be a whole table of ratings; write it anew: {error}") from error
    return frame


def _swapped_in(frame: pd.DataFrame, failed: pd.Series) -> pd.Series:
    """The batches of the candidates that were swapped in, once they are what they must be."""
    missing = [name for name in OPTIONAL if name not in frame.columns]
    if missing:
        raise ValueError(f"{' and '.join(OPTIONAL)} must be given both or neither; missing: {missing[0]}")
    given = frame[SWAP_IN].notna()
    _refuse(frame, given & ~np.isfinite(frame[SWAP_IN].astype(float)), "must have a finite swap_in or none")
    _refuse(frame, given & failed, "must not have a swap_in beside its failure")
    _refuse(
        frame, given != frame[SWAP_IN_BATCHES].notna(), "must have both swap_in and its batches or neither"
    )
    return frame.loc[given, SWAP_IN_BATCHES]


def _refuse(frame: pd.DataFrame, faulty: pd.Series, requirement: str) -> None:
    if faulty.any():
        first = frame.loc[faulty, CANDIDATE].iloc[0]
        raise ValueError(f"candidate {first} {requirement}; {int(faulty.sum())} of {len(frame)} rows do not")
