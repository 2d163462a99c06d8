"""The tables of a chain of blocks as arrays: which rows may follow each other, in the order of IDs."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.unrated import unrated_in_block
from search_spaces.rating_table import CANDIDATE, IN_CHANNELS, OUT_CHANNELS, RATING

SEPARATOR = "/"
# The widths that meet at a boundary of two blocks, ascending; None where any may follow any.
Widths = NDArray[np.int64] | None
# Up to here float64 holds every whole number, so that sums of whole costs are exact.
LARGEST_WHOLE = 2.0**53


@dataclass(frozen=True, slots=True)
class Block:
    """The usable rows of one block's table, in the order that they give to the IDs of architectures.

    Attributes:
        table_rows: Where the rows stand in the table, [N].
        ratings: [N].
        costs: The costs that have a limit, [J, N].
        entries: Index of the width at which a row is entered among those of its boundary, [N].
        exits: Index of the width at which a row is left among those of the next boundary, [N].
        num_entries: Number of widths at the boundary before the block.
    """

    table_rows: NDArray[np.int64]
    ratings: NDArray[np.float64]
    costs: NDArray[np.float64]
    entries: NDArray[np.int64]
    exits: NDArray[np.int64]
    num_entries: int


@dataclass(frozen=True, slots=True)
class Chain:
    """Blocks of which one row each makes an architecture; rows that stand in none are left out.

    Attributes:
        blocks: First block first. The last one's rows all exit at index 0.
        cost_names: The costs that have a limit, [J].
        limits: Largest sum allowed for each of them, [J].
        whole: Whether a cost is made of whole numbers, whose sums are exact, [J].
    """

    blocks: tuple[Block, ...]
    cost_names: tuple[str, ...]
    limits: NDArray[np.float64]
    whole: NDArray[np.bool_]

    @property
    def roundings(self) -> NDArray[np.float64]:
        """How far floating point may lead sums of each cost astray, in whatever order they are made, [J]."""
        largest = np.sum([np.abs(block.costs).max(axis=1, initial=0.0) for block in self.blocks], axis=0)
        return np.where(self.whole, 0.0, 8 * len(self.blocks) * np.finfo(np.float64).eps * largest)


def link(tables: Sequence[pd.DataFrame], budgets: Mapping[str, float] | None) -> Chain:
    """The chain of the rated rows of `tables`, one table per block.

    Rows without a rating are left out. A row may follow another if it is entered at the width at which the
    other is left (`in_channels` and `out_channels`); where one of two neighbours lacks its column, any may.

    Raises:
        ValueError: If there is no table, a column is missing or holds what cannot be summed, a block has no
            rated candidate, a candidate is ambiguous, widths never meet, or a budget is negative or NaN.
    """
    if not tables:
        raise ValueError("tables must hold one table per block, got none")
    budgets = budgets or {}
    for name, limit in budgets.items():
        if not limit >= 0:
            raise ValueError(f"the budget of {name} must be a number from 0 on, got {limit}")
    frames = [_usable(index, table, list(budgets)) for index, table in enumerate(tables)]
    widths = _drop_dead_ends(frames)
    limits = {name: float(limit) for name, limit in budgets.items() if limit < np.inf}
    blocks = tuple(
        _block(frame, list(limits), widths[index], widths[index + 1], is_last=index == len(frames) - 1)
        for index, frame in enumerate(frames)
    )
    whole = np.array([_is_whole(name, frames) for name in limits], dtype=np.bool_)
    return Chain(blocks, tuple(limits), np.array(list(limits.values()), dtype=np.float64), whole)


def meetings(exits: NDArray[np.int64], entries: NDArray[np.int64]) -> NDArray[np.int64]:
    """All pairs of positions in `exits` and `entries` with equal widths, [2, N]."""
    pairs = [
        np.array(np.meshgrid(np.nonzero(exits == width), np.nonzero(entries == width))).reshape(2, -1)
        for width in np.unique(exits)
    ]
    return np.concatenate([np.empty((2, 0), np.int64), *pairs], axis=1)


def _usable(index: int, table: pd.DataFrame, cost_names: list[str]) -> pd.DataFrame:
    """The rated rows of a table, checked, with their positions in it as index."""
    _check_columns(index, table, cost_names)
    widths = [name for name in (IN_CHANNELS, OUT_CHANNELS) if name in table.columns]
    frame = table[list(dict.fromkeys([CANDIDATE, RATING, *cost_names, *widths]))].reset_index(drop=True)
    frame = frame[frame[RATING].notna()]
    if frame.empty:
        unrated = "; ".join(map(str, unrated_in_block(index, table)))
        raise ValueError(
            f"block {index} must have a rated candidate, it has none in {len(table)} rows: {unrated}"
        )
    for name in (RATING, *cost_names):
        finite = np.isfinite(frame[name].to_numpy(np.float64))
        if not finite.all():
            raise ValueError(f"{name} must be finite, in block {index} got {frame[name][~finite].iloc[0]}")
    return frame


def _check_columns(index: int, table: pd.DataFrame, cost_names: list[str]) -> None:
    for name in (CANDIDATE, RATING, *cost_names):
        if name not in table.columns:
            raise ValueError(f"block {index} must have the column {name}, it has {', '.join(table.columns)}")
    for name in (RATING, *cost_names):
        dtype = table[name].dtype
        if not pd.api.types.is_numeric_dtype(dtype):
            raise ValueError(f"column {name} of block {index} must hold numbers, it holds {dtype}")
    names = table[CANDIDATE]
    if not pd.api.types.is_string_dtype(names) or names.isna().any():
        raise ValueError(f"column {CANDIDATE} of block {index} must hold texts only")
    separated = names[names.str.contains(SEPARATOR, regex=False)]
    if len(separated):
        raise ValueError(f'candidates must not contain "{SEPARATOR}", got {separated.iloc[0]!r}')


def _drop_dead_ends(frames: list[pd.DataFrame]) -> list[Widths]:
    """Leaves in `frames` what lies on a whole chain; returns the widths per boundary, None for any.

    Raises:
        ValueError: If the widths of two neighbours never meet.
    """
    constrained = [
        OUT_CHANNELS in before.columns and IN_CHANNELS in after.columns
        for before, after in itertools.pairwise(frames)
    ]
    for index in range(len(frames) - 1):
        if constrained[index]:
            exits, entries = frames[index][OUT_CHANNELS], frames[index + 1][IN_CHANNELS]
            frames[index + 1] = frames[index + 1][entries.isin(exits)]
            if frames[index + 1].empty:
                raise ValueError(
                    f"block {index} must be left at a width at which block {index + 1} is entered, it is left"
                    f" at {sorted(set(exits.tolist()))}, block {index + 1} is entered at"
                    f" {sorted(set(entries.tolist()))}, by rated candidates alone"
                )
    for index in reversed(range(len(frames) - 1)):
        if constrained[index]:
            frames[index] = frames[index][frames[index][OUT_CHANNELS].isin(frames[index + 1][IN_CHANNELS])]
    inner = [
        np.unique(frame[OUT_CHANNELS].to_numpy()) if meets else None
        for frame, meets in zip(frames, constrained, strict=False)
    ]
    return [None, *inner, None]


def _is_whole(name: str, frames: list[pd.DataFrame]) -> bool:
    """Whether the cost `name` is made of whole numbers."""
    if not all(pd.api.types.is_integer_dtype(frame[name].dtype) for frame in frames):
        return False
    if sum(float(frame[name].abs().max()) for frame in frames) > LARGEST_WHOLE:
        raise ValueError(f"sums of {name} must stay below 2^53 to be exact; give it in a larger unit")
    return True


def _block(
    frame: pd.DataFrame, cost_names: list[str], entry_widths: Widths, exit_widths: Widths, is_last: bool
) -> Block:
    # With the separator behind them no name begins another: their order is the order of the IDs.
    names = frame[CANDIDATE].to_numpy(object) + ("" if is_last else SEPARATOR)
    frame = frame.iloc[np.argsort(names, kind="stable")]
    entries = _positions(frame, IN_CHANNELS, entry_widths)
    ambiguous = frame[CANDIDATE].to_frame().assign(entry=entries).duplicated()
    if ambiguous.any():
        raise ValueError(
            f"a candidate must stand once per width at which its block is entered,"
            f" {frame[CANDIDATE][ambiguous].iloc[0]!r} stands more often"
        )
    costs = [frame[name].to_numpy(np.float64) for name in cost_names]
    return Block(
        table_rows=frame.index.to_numpy(np.int64),
        ratings=frame[RATING].to_numpy(np.float64),
        costs=np.array(costs, np.float64).reshape(len(costs), len(frame)),
        entries=entries,
        exits=_positions(frame, OUT_CHANNELS, exit_widths),
        num_entries=1 if entry_widths is None else len(entry_widths),
    )


def _positions(frame: pd.DataFrame, column: str, widths: Widths) -> NDArray[np.int64]:
    """Where the widths of `column` stand in `widths`; zeros where any width will do."""
    if widths is None:
        return np.zeros(len(frame), dtype=np.int64)
    return np.searchsorted(widths, frame[column].to_numpy()).astype(np.int64)
