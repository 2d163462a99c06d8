"""The tables of a chain of blocks as arrays: which rows may follow each other, in the order of IDs."""

import dataclasses
import itertools
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Self, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasray.analysis.exact.column import Column
from nasray.analysis.exact.exact_sums import compare
from nasray.analysis.exact.table_checks import check_budgets, usable_rows
from nasray.errors import UserError
from nasray.search_spaces.architecture import SEPARATOR
from nasray.search_spaces.artefacts.columns import CANDIDATE, IN_CHANNELS, NUM_MACS, OUT_CHANNELS, RATING
from nasray.search_spaces.costs.uncounted import check_counted

# The widths that meet at a boundary of two blocks, ascending; None where any may follow any.
Widths = NDArray[np.int64] | None
_Sum = TypeVar("_Sum", float, NDArray[np.float64])
_SMALLEST = math.ulp(0.0)
_SAFETY = 16  # times what float64 loses in an addition, for each number that is added


@dataclass(frozen=True, slots=True)
class Block:
    """The usable rows of one block's table, in the order that they give to the IDs of architectures.

    Attributes:
        table_rows: Where the rows stand in the table, [N].
        ratings: As searches see them, see `Column`, [N].
        costs: The costs that have a limit, as searches see them, [J, N].
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
        score: The ratings as they are.
        costs: The costs that have a limit, as they are, [J].
    """

    blocks: tuple[Block, ...]
    score: Column
    costs: tuple[Column, ...]

    @property
    def limits(self) -> NDArray[np.float64]:
        """Largest sum allowed for each cost, as searches see it, [J]."""
        return np.array([cost.scaled_limit for cost in self.costs], np.float64)

    @property
    def whole(self) -> NDArray[np.bool_]:
        """Whether a cost is made of whole numbers, whose sums are exact, [J]."""
        return np.array([cost.whole for cost in self.costs], np.bool_)

    @property
    def roundings(self) -> NDArray[np.float64]:
        """How far floating point may lead sums of each cost astray that are near its limit, [J]."""
        return np.where(self.whole, 0.0, self.rounding(np.abs(self.limits)))

    def rounding(self, sums: _Sum) -> _Sum:
        """How far floating point may lead sums of this size astray, whatever it is that adds up."""
        num_terms = len(self.blocks) + len(self.costs) + 1
        # Sums are of numbers from 0 on, of which each is known up to a share of it, or to the smallest float64.
        return _SAFETY * num_terms * (sys.float_info.epsilon * sums + _SMALLEST)

    def keeps_limits(
        self, sums: NDArray[np.float64], rows: NDArray[np.int32] | NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Which architectures keep all limits, exactly.

        Args:
            sums: Of their costs, as searches see them, [J, N].
            rows: The row of each block, [N, K].
        """
        kept = np.ones(len(rows), np.bool_)
        for cost, of_cost, limit, rounding in zip(self.costs, sums, self.limits, self.roundings, strict=True):
            kept &= of_cost <= limit + rounding
            (unsure,) = np.nonzero(kept & (of_cost > limit - rounding))
            if len(unsure):
                exact = cost.sums.total(take(cost.blocks, rows[unsure]))
                kept[unsure] = compare(exact, cost.limit_digits) <= 0
        return kept

    def only(self, kept: NDArray[np.bool_]) -> Self:
        """The chain with only some of its limits."""
        blocks = [dataclasses.replace(block, costs=block.costs[kept]) for block in self.blocks]
        return type(self)(tuple(blocks), self.score, tuple(itertools.compress(self.costs, kept)))


def link(tables: Sequence[pd.DataFrame], budgets: Mapping[str, float] | None) -> Chain:
    """The chain of the rated rows of `tables`, one table per block.

    Rows without a rating are left out. A row may follow another if it is entered at the width at which the
    other is left (`in_channels` and `out_channels`); where one of two neighbours lacks its column, any may.

    Raises:
        UserError: If there is no table, a column is missing or holds what cannot be summed exactly, a block has no
            rated candidate, a candidate is ambiguous, widths never meet, or a budget is no finite number from 0 on, or
            of multiply-accumulates that are not counted.
    """
    return link_within(tables, check_budgets(budgets or {}))


def link_within(tables: Sequence[pd.DataFrame], limits: Mapping[str, Fraction]) -> Chain:
    """The same, with a limit of any column of numbers, the ratings among them."""
    if not tables:
        raise UserError("tables must hold one table per block, got none")
    if NUM_MACS in limits:
        check_counted(tables, f"a budget of {NUM_MACS}")
    frames = [usable_rows(index, table, list(limits)) for index, table in enumerate(tables)]
    widths = _drop_dead_ends(frames)
    frames = [_in_order(frame, is_last=index == len(frames) - 1) for index, frame in enumerate(frames)]
    score = Column.of(RATING, [frame[RATING].to_numpy() for frame in frames], None)
    costs = tuple(
        Column.of(name, [frame[name].to_numpy() for frame in frames], limit) for name, limit in limits.items()
    )
    ratings, costs_of_blocks = score.scaled_blocks(), [cost.scaled_blocks() for cost in costs]
    blocks = tuple(
        _block(
            frame,
            ratings[index],
            np.array([of_cost[index] for of_cost in costs_of_blocks], np.float64).reshape(
                len(costs), len(frame)
            ),
            widths[index],
            widths[index + 1],
        )
        for index, frame in enumerate(frames)
    )
    return Chain(blocks, score, costs)


def take(
    blocks: Sequence[NDArray[np.float64]], rows: NDArray[np.int32] | NDArray[np.int64]
) -> NDArray[np.float64]:
    """The values of architectures in each block, [B, N], from their rows, [N, B]."""
    return np.array([values[of_block] for values, of_block in zip(blocks, rows.T, strict=True)]).reshape(
        rows.T.shape
    )


def meetings(exits: NDArray[np.int64], entries: NDArray[np.int64]) -> NDArray[np.int64]:
    """All pairs of positions in `exits` and `entries` with equal widths, [2, N]."""
    pairs = [
        np.array(np.meshgrid(np.nonzero(exits == width), np.nonzero(entries == width))).reshape(2, -1)
        for width in np.unique(exits)
    ]
    return np.concatenate([np.empty((2, 0), np.int64), *pairs], axis=1)


def _drop_dead_ends(frames: list[pd.DataFrame]) -> list[Widths]:
    """Leaves in `frames` what lies on a whole chain; returns the widths per boundary, None for any.

    Raises:
        UserError: If the widths of two neighbours never meet.
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
                raise UserError(
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


def _in_order(frame: pd.DataFrame, *, is_last: bool) -> pd.DataFrame:
    # With the separator behind them no name begins another: their order is the order of the IDs.
    names = frame[CANDIDATE].to_numpy(object) + ("" if is_last else SEPARATOR)
    return frame.iloc[np.argsort(names, kind="stable")]


def _block(
    frame: pd.DataFrame,
    ratings: NDArray[np.float64],
    costs: NDArray[np.float64],
    entry_widths: Widths,
    exit_widths: Widths,
) -> Block:
    entries = _positions(frame, IN_CHANNELS, entry_widths)
    _check_unambiguous(frame[CANDIDATE].to_numpy(object), entries)
    return Block(
        table_rows=frame.index.to_numpy(np.int64),
        ratings=ratings,
        costs=costs,
        entries=entries,
        exits=_positions(frame, OUT_CHANNELS, exit_widths),
        num_entries=1 if entry_widths is None else len(entry_widths),
    )


def _check_unambiguous(names: NDArray[np.object_], entries: NDArray[np.int64]) -> None:
    """Refuse rows of the same candidate, which follow each other, that are entered at the same width."""
    candidates = np.append(0, np.cumsum(names[1:] != names[:-1]))
    _, firsts = np.unique(candidates * (entries.max() + 1) + entries, return_index=True)
    if len(firsts) < len(names):
        repeated = names[np.setdiff1d(np.arange(len(names)), firsts)[0]]
        raise UserError(
            f"a candidate must stand once per width at which its block is entered, {repeated!r} stands more often"
        )


def _positions(frame: pd.DataFrame, column: str, widths: Widths) -> NDArray[np.int64]:
    """Where the widths of `column` stand in `widths`; zeros where any width will do."""
    if widths is None:
        return np.zeros(len(frame), dtype=np.int64)
    return np.searchsorted(widths, frame[column].to_numpy()).astype(np.int64)
