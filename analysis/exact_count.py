"""The exact number of architectures within limits, where the chain is small enough or has enough equal sums.

The different sums of the first blocks, added up from left to right, meet the sequences of rows that may follow.

Source: E. Horowitz and S. Sahni, "Computing partitions with applications to the knapsack problem", JACM 21 (1974).
Deviation: equal sums are one, so that their number counts, not that of the architectures.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.chain import Block, Chain, meetings

_MOST_SUMS = 2**21  # on either side
_MOST_PAIRS = 2**28  # of sums and sequences that are looked at one by one
_PAIRS_AT_ONCE = 2**22

Counts = NDArray[np.int64] | NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class _Kinds:
    """The rows of a block, those that no limit tells apart as one.

    Attributes:
        costs: [D, N].
        entries: Index of the width at which a row is entered, [N].
        exits: Index of the width at which a row is left, [N].
        counts: How many rows are of the kind, [N].
    """

    costs: NDArray[np.float64]
    entries: NDArray[np.int64]
    exits: NDArray[np.int64]
    counts: Counts


@dataclass(frozen=True, slots=True)
class _Sums:
    """The different sums of the first blocks.

    Attributes:
        costs: [D, N].
        widths: Index of the width that is reached, [N].
        counts: In how many ways, [N].
    """

    costs: NDArray[np.float64]
    widths: NDArray[np.int64]
    counts: Counts

    def reaching(self, width: int) -> "_Sums":
        """Those that reach `width`."""
        kept = self.widths == width
        return _Sums(self.costs[:, kept], self.widths[kept], self.counts[kept])


@dataclass(frozen=True, slots=True)
class _Ends:
    """The sequences of rows of the last blocks.

    Attributes:
        kinds: The rows of each of the blocks.
        rows: Which of them stand in a sequence, [number of blocks, N].
        widths: Index of the width at which a sequence is entered, [N].
        counts: How many sequences are of these kinds, [N].
    """

    kinds: list[_Kinds]
    rows: NDArray[np.int64]
    widths: NDArray[np.int64]
    counts: Counts

    def part(self, positions: NDArray[np.bool_] | NDArray[np.int64]) -> "_Ends":
        """The sequences at `positions`, in that order."""
        return _Ends(self.kinds, self.rows[:, positions], self.widths[positions], self.counts[positions])

    def added_to(self, sums: NDArray[np.float64], cost: int) -> NDArray[np.float64]:
        """`sums` with the sequences' costs added one by one, broadcast: [..., N]."""
        for kinds, rows in zip(self.kinds, self.rows, strict=True):
            sums = sums + kinds.costs[cost, rows]
        return np.broadcast_to(sums, np.broadcast_shapes(sums.shape, self.widths.shape))


def count_all(chain: Chain) -> int:
    """The number of architectures of `chain`, whatever its limits."""
    ends = [1]
    for block in reversed(chain.blocks):
        before = [0] * block.num_entries
        pairs, counts = np.unique(np.stack([block.entries, block.exits]), axis=1, return_counts=True)
        for (entry, exit_), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
            before[entry] += count * ends[exit_]
        ends = before
    return ends[0]


def count_exactly(chain: Chain) -> int | None:
    """The number of architectures that keep the limits of `chain`, None where telling would take too much."""
    # int64 holds every number up to the total; beyond it Python's own integers must do.
    dtype = np.dtype(np.int64 if count_all(chain) < 2**62 else object)
    kinds = [_kinds(block, dtype) for block in chain.blocks]
    sums = _Sums(np.zeros((len(chain.limits), 1)), np.zeros(1, np.int64), np.ones(1, dtype))
    while kinds and len(sums.widths) * len(kinds[0].exits) <= _MOST_SUMS:
        sums = _extend(sums, kinds.pop(0))
    if math.prod(len(of_block.exits) for of_block in kinds) > _MOST_SUMS:
        return None
    ends = _ends(kinds, dtype)
    count_pairs = _count_by_order if len(chain.limits) == 1 else _count_one_by_one
    total = 0
    for width in np.unique(sums.widths).tolist():
        count = count_pairs(chain, sums.reaching(width), ends.part(ends.widths == width))
        if count is None:
            return None
        total += count
    return total


def _kinds(block: Block, dtype: np.dtype) -> _Kinds:
    columns = np.vstack([block.costs, block.entries, block.exits])
    columns, counts = np.unique(columns, axis=1, return_counts=True)
    entries, exits = columns[-2:].astype(np.int64)
    return _Kinds(columns[:-2], entries, exits, counts.astype(dtype))


def _extend(sums: _Sums, kinds: _Kinds) -> _Sums:
    """The sums with one more block, equal ones as one."""
    before, after = meetings(sums.widths, kinds.entries)
    costs, widths = sums.costs[:, before] + kinds.costs[:, after], kinds.exits[after]
    order = np.lexsort([*costs, widths])
    costs, widths = costs[:, order], widths[order]
    counts = (sums.counts[before] * kinds.counts[after])[order]
    differs = (np.diff(costs, axis=1) != 0).any(axis=0) | (np.diff(widths) != 0)
    starts = np.append(0, np.nonzero(differs)[0] + 1)
    return _Sums(costs[:, starts], widths[starts], np.add.reduceat(counts, starts))


def _ends(kinds: list[_Kinds], dtype: np.dtype) -> _Ends:
    """Every sequence of a row of each of `kinds` whose widths meet."""
    rows, widths, counts = np.empty((0, 1), np.int64), np.zeros(1, np.int64), np.ones(1, dtype)
    for of_block in reversed(kinds):
        before, after = meetings(of_block.exits, widths)
        rows = np.vstack([before, rows[:, after]])
        widths, counts = of_block.entries[before], of_block.counts[before] * counts[after]
    return _Ends(kinds, rows, widths, counts)


def _count_by_order(chain: Chain, sums: _Sums, ends: _Ends) -> int | None:
    """The number of pairs that keep the only limit; just those that rounding makes unsure are summed up."""
    totals = ends.added_to(np.zeros(1), 0)
    order = np.argsort(totals)
    totals, ends = totals[order], ends.part(order)
    limit, rounding = chain.limits[0], chain.roundings[0]
    sure = np.searchsorted(totals, limit - rounding - sums.costs[0], side="right")
    unsure = np.searchsorted(totals, limit + rounding - sums.costs[0], side="right") - sure
    if unsure.sum() > _MOST_PAIRS:
        return None
    total = int(sums.counts @ np.append(0, np.cumsum(ends.counts))[sure])
    parts = np.cumsum(unsure) // _PAIRS_AT_ONCE
    for firsts in np.split(np.arange(len(sure)), np.nonzero(np.diff(parts))[0] + 1):
        numbers = unsure[firsts]
        before = np.repeat(firsts, numbers)
        after = np.arange(len(before)) + np.repeat(sure[firsts] - (np.cumsum(numbers) - numbers), numbers)
        unsure_ends = ends.part(after)
        kept = unsure_ends.added_to(sums.costs[0, before], 0) <= limit
        total += int(sums.counts[before[kept]] @ unsure_ends.counts[kept])
    return total


def _count_one_by_one(chain: Chain, sums: _Sums, ends: _Ends) -> int | None:
    """The number of pairs that keep all limits, by looking at each."""
    if len(sums.widths) * len(ends.widths) > _MOST_PAIRS:
        return None
    totals = [ends.added_to(np.zeros(1), cost) for cost in range(len(chain.limits))]
    at_once = max(1, _PAIRS_AT_ONCE // max(1, len(ends.widths)))
    total = 0
    for start in range(0, len(sums.widths), at_once):
        costs = sums.costs[:, start : start + at_once, np.newaxis]
        kept = np.ones((costs.shape[1], len(ends.widths)), np.bool_)
        for cost, limit in enumerate(chain.limits):
            # Only sums of whole numbers come out the same in any order.
            whole = chain.whole[cost]
            kept &= (costs[cost] + totals[cost] if whole else ends.added_to(costs[cost], cost)) <= limit
        total += int(sums.counts[start : start + at_once] @ (kept @ ends.counts))
    return total
