"""The table of a cell's ratings, for those who write it and those who read it."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import (
    CANDIDATE,
    CELL,
    DEPTH,
    FAILURE,
    IN_CHANNELS,
    OPERATIONS,
    OUT_CHANNELS,
    RATING,
    RATING_BATCHES,
    RATING_SEEDS,
    UNCOUNTED,
    WIDTH,
)
from nasray.search_spaces.artefacts.costs import counted_costs
from nasray.search_spaces.artefacts.criteria import Rating, further_ratings
from nasray.search_spaces.artefacts.rating_schema import (
    check_names,
    of_schema,
    optional_columns,
    schema,
    summed_columns,
    with_optional,
)
from nasray.search_spaces.artefacts.summed_columns import check_summed, summed_metadata
from nasray.search_spaces.files.atomic_file import replacing

_SIZES = (DEPTH, WIDTH, IN_CHANNELS, OUT_CHANNELS)
_NAMED_BY = (CELL, DEPTH, WIDTH, OPERATIONS, OUT_CHANNELS)
_LARGEST_COST = 2**53
_ROUNDING = 1e-9  # of means over values in another order


def check(frame: pd.DataFrame) -> None:
    """Holds `frame` to what every table of ratings must be.

    One row per candidate and entry width (`in_channels`), written like "2x24:a,b". Sizes are at least 1; costs are at
    most 2^53, so that floats hold the sums of whole ones. `rating` is finite, lower is better; it is NaN exactly where
    `failure` says why. `rating_batches` holds one value per held-out batch, whose mean is `rating`: the first ones are
    shared by all, some candidates may have more, which follow. `rating_seeds` holds the ratings by each training seed
    of the block, where there are several, whose mean is `rating`, too. `swap_in` and `swap_in_batches` are a further
    rating of the same kind as the first, on the same batches, as are others that `criteria` may list; a frame may lack
    both columns of one, and a candidate that has a rating may have none of them. `uncounted` names the operators of
    which `num_macs` counts nothing, where there are any, so that it is a lower bound.

    Raises:
        UserError: If a column is missing or unknown, a candidate stands twice or is not what its row says, a rating is
            missing without a failure or given beside one, has no batches, or others than a further rating has, or is
            not their mean, numbers of seeds differ, a size is below 1, or a cost is negative or beyond all sums.
    """
    check_names(list(frame.columns))
    frame = frame.reset_index(drop=True)  # whose numbers are told
    _refuse(frame, frame.duplicated([CANDIDATE, IN_CHANNELS]), "must appear once per in_channels")
    failed = frame[FAILURE].notna()
    finite = np.isfinite(frame[RATING].astype(float))
    _refuse(frame, ~failed & ~finite, "must have a finite rating or say its failure")
    _refuse(frame, failed & frame[RATING].notna(), "must not have a rating beside its failure")
    costs = frame[[cost.name for cost in counted_costs() if cost.name in frame.columns]]
    _refuse(frame, (costs < 0).any(axis=1), "must not have a negative cost")
    _refuse(frame, (costs > _LARGEST_COST).any(axis=1), "must have costs of at most 2^53")
    if UNCOUNTED in frame.columns:
        _refuse(
            frame, ~frame[UNCOUNTED].map(_is_named_or_none), "must name each uncounted operator or be null"
        )
    sizes = frame[list(_SIZES)].apply(pd.to_numeric, errors="coerce")
    _refuse(frame, ~(sizes >= 1).all(axis=1), f"must have as {', '.join(_SIZES)} numbers of at least 1")
    _refuse(frame, ~_is_named(frame), f"must be of the {', '.join(_NAMED_BY)} that its row says")
    rated = frame[~failed]
    _refuse(
        rated, ~rated[RATING_BATCHES].map(_is_measured), "must have a finite rating on each held-out batch"
    )
    _refuse_others_than_means(rated, RATING, RATING_BATCHES)
    for rating in further_ratings():
        if rating.column in frame.columns or rating.batches in frame.columns:
            _check_further(rating, frame, failed)
    if RATING_SEEDS in frame.columns:
        several = rated[RATING_SEEDS].notna()
        _refuse(
            rated, several & ~rated[RATING_SEEDS].map(_is_measured), "must have a finite rating by each seed"
        )
        lengths = set(rated[RATING_SEEDS].map(lambda seeds: 1 if seeds is None else len(seeds)))
        if len(lengths) > 1:
            raise UserError(f"candidates must be rated by as many training seeds, got {sorted(lengths)}")
        _refuse_others_than_means(rated[several], RATING, RATING_SEEDS)


def write(frame: pd.DataFrame, path: Path) -> None:
    """Leaves `frame` as parquet at `path`, whole or not at all, whatever interrupts; nulls where it lacks a column.

    Raises:
        UserError: If `frame` is not a table of ratings, see `check`.
    """
    check(frame)
    frame = frame.assign(**{name: None for name in optional_columns() if name not in frame.columns})
    table = pa.Table.from_pandas(frame, schema=schema(), preserve_index=False)
    table = table.replace_schema_metadata()
    # Pages have a checksum, the footer has none: all that it holds is seen to be wrong on reading.
    with replacing(path) as temporary:
        settings = {"write_page_checksum": True, "write_statistics": False, "store_schema": False}
        with pq.ParquetWriter(temporary, table.schema, **settings) as writer:
            writer.write_table(table)
            writer.add_key_value_metadata(summed_metadata(summed_columns()))


def read(path: Path) -> pd.DataFrame:
    """The table of ratings at `path`, checked; `rating_batches` holds arrays, a missing failure is null.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If the file is damaged or not a table of ratings; the text names the file.
    """
    try:
        # Without partitioning, since folders named like "a=b" would else become columns.
        table = pq.read_table(path, page_checksum_verification=True, partitioning=None)
        check_summed(table.schema.metadata)
        frame = of_schema(with_optional(table)).to_pandas()
        check(frame)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(
            f"{path} must be a whole table of ratings ({error}): remove it and run the search again"
        ) from error
    return frame


def extend(table: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    """The table with the further held-out batches of some of its rows behind those that they have.

    A rating remains the mean over a row's batches. What fails on further batches fails as a whole; what lacks a further
    rating on them lacks it from then on.

    Args:
        table: A table of ratings.
        more: A table of ratings of the same candidates, or some of them, on the batches that follow.

    Raises:
        UserError: If `more` has a row that the table has not.
    """
    added = {(row[CANDIDATE], row[IN_CHANNELS]): row for row in more.to_dict("records")}
    rows = [
        _extended(row, added.pop((row[CANDIDATE], row[IN_CHANNELS]), None))
        for row in table.to_dict("records")
    ]
    if added:
        candidate, in_channels = next(iter(added))
        raise UserError(
            f"further batches must be of candidates of the table, {candidate} at {in_channels} is not"
        )
    return pd.DataFrame(rows, columns=table.columns)


def _extended(row: dict[Any, Any], more: dict[Any, Any] | None) -> dict[Any, Any]:
    """One row, with its further batches if it has any."""
    if more is None or not pd.isna(row[FAILURE]):
        return row
    if not pd.isna(more[FAILURE]):
        nothing = {RATING: math.nan, RATING_BATCHES: [], RATING_SEEDS: None, FAILURE: more[FAILURE]}
        return (
            row | nothing | {name: value for one in further_ratings() for name, value in _none(one).items()}
        )
    numbers = [len(row[RATING_BATCHES]), len(more[RATING_BATCHES])]
    batches = [*row[RATING_BATCHES], *more[RATING_BATCHES]]
    extended = row | {RATING: float(np.mean(batches)), RATING_BATCHES: batches}
    if row[RATING_SEEDS] is not None:
        seeds = np.average([row[RATING_SEEDS], more[RATING_SEEDS]], axis=0, weights=numbers)
        extended[RATING_SEEDS] = seeds.tolist()
    for rating in further_ratings():
        if pd.isna(row[rating.column]) or pd.isna(more[rating.column]):
            extended |= _none(rating)
        else:
            batches = [*row[rating.batches], *more[rating.batches]]
            extended |= {rating.column: float(np.mean(batches)), rating.batches: batches}
    return extended


def _none(rating: Rating) -> dict[Any, Any]:
    """What stands in a row that lacks a further rating."""
    return {rating.column: math.nan, rating.batches: None}


def _check_further(rating: Rating, frame: pd.DataFrame, failed: pd.Series) -> None:
    """Hold a further rating to what it must be beside the first."""
    name, batches = rating.column, rating.batches
    missing = [column for column in (name, batches) if column not in frame.columns]
    if missing:
        raise UserError(f"{name} and {batches} must be given both or neither; missing: {missing[0]}")
    given = frame[name].notna()
    _refuse(frame, given & ~np.isfinite(frame[name].astype(float)), f"must have a finite {name} or none")
    _refuse(frame, given & failed, f"must not have a {name} beside its failure")
    _refuse(frame, given != frame[batches].notna(), f"must have both {name} and its batches or neither")
    both = frame[given]
    differing = both[batches].map(len) != both[RATING_BATCHES].map(len)
    _refuse(both, differing, "must have both ratings on the same held-out batches")
    _refuse_others_than_means(both, name, batches)


def _is_named(frame: pd.DataFrame) -> pd.Series:
    """Whether each row's candidate is that of its other columns, in which `str` of a `Candidate` would write it."""
    operations = frame[OPERATIONS].astype(str)
    cells = frame[DEPTH].astype(str) + "x" + frame[WIDTH].astype(str)
    return (
        (frame[CANDIDATE] == cells + ":" + operations)
        & (frame[CELL] == cells)
        & (operations.str.count(",") + 1 == frame[DEPTH])
        & (frame[OUT_CHANNELS] == frame[WIDTH])
    )


def _is_named_or_none(text: str | None) -> bool:
    """Whether a text names operators, none of them twice, in order and with ", " between; or there is no text."""
    if text is None or isinstance(text, float):
        return True
    names = text.split(", ")
    return all(name and name == name.strip() for name in names) and names == sorted(set(names))


def _is_measured(values: Sequence[float] | None) -> bool:
    """Whether there are values, all of them numbers."""
    return values is not None and len(values) > 0 and bool(np.isfinite(np.asarray(values, np.float64)).all())


def _refuse_others_than_means(frame: pd.DataFrame, name: str, of: str) -> None:
    """Refuse rows in which a column is not the mean of the values that another one holds."""
    means = frame[of].map(np.mean).astype(float)
    faulty = ~np.isclose(frame[name].astype(float), means, rtol=_ROUNDING, atol=0)
    _refuse(frame, pd.Series(faulty, frame.index, dtype=bool), f"must have as {name} the mean of its {of}")


def _refuse(frame: pd.DataFrame, faulty: pd.Series, requirement: str) -> None:
    if faulty.any():
        first = frame.loc[faulty, CANDIDATE]
        raise UserError(
            f"candidate {first.iloc[0]} {requirement}; {int(faulty.sum())} of {len(frame)} rows do not, the first is"
            f" row {first.index[0]}, counted from 0"
        )
