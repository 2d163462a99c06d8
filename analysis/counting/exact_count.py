"""The exact number of architectures within limits, where the chain is small enough or has enough equal sums.

The different sums of the first blocks, which are exact, meet the sequences of rows that may follow.

Source: E. Horowitz and S. Sahni, "Computing partitions with applications to the knapsack problem", JACM 21 (1974).
Deviation: equal sums are one, so that their number counts, not that of the architectures.
"""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasray.analysis.exact.chain import Chain, meetings
from nasray.analysis.exact.exact_sums import Digits, compare

_MOST_SUMS = 2**21  # on either side
_MOST_PAIRS = 2**28  # of sums and sequences that are looked at one by one
_PAIRS_AT_ONCE = 2**22

Counts = NDArray[np.int64] | NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class _Kinds:
    """The rows of a block, those that no limit tells apart as one.

    Attributes:
        costs: As searches see them, see `Column`, [D, N].
        digits: Of the same as they are, [L, N] for each limit.
        entries: Index of the width at which a row is entered, [N].
        exits: Index of the width at which a row is left, [N].
        counts: How many rows are of the kind, [N].
    """

    costs: NDArray[np.float64]
    digits: list[Digits]
    entries: NDArray[np.int64]
    exits: NDArray[np.int64]
    counts: Counts


@dataclass(frozen=True, slots=True)
class _Sums:
    """The different sums of the first blocks.

    Attributes:
        costs: As searches see them, [D, N].
        digits: The exact sums, [L, N] for each limit.
        widths: Index of the width that is reached, [N].
        counts: In how many ways, [N].
    """

    costs: NDArray[np.float64]
    digits: list[Digits]
    widths: NDArray[np.int64]
    counts: Counts

    def __getitem__(self, part: slice | NDArray[np.bool_] | NDArray[np.int64]) -> "_Sums":
        digits = [of_cost[:, part] for of_cost in self.digits]
        return _Sums(self.costs[:, part], digits, self.widths[part], self.counts[part])


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

    def costs(self, cost: int) -> NDArray[np.float64]:
        """What the sequences cost, as searches see it, [N]."""
        total = np.zeros(len(self.widths))
        for kinds, rows in zip(self.kinds, self.rows, strict=True):
            total += kinds.costs[cost, rows]
        return total

    def digits(self, cost: int) -> list[Digits]:
        """What the sequences cost as it is, to be added up: [L, N] for each block."""
        return [kinds.digits[cost][:, rows] for kinds, rows in zip(self.kinds, self.rows, strict=True)]


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
    kinds = [_kinds(chain, index, dtype) for index in range(len(chain.blocks))]
    nothing = [np.zeros((cost.sums.num_digits, 1), np.int64) for cost in chain.costs]
    sums = _Sums(np.zeros((len(chain.costs), 1)), nothing, np.zeros(1, np.int64), np.ones(1, dtype))
    while kinds and len(sums.widths) * len(kinds[0].exits) <= _MOST_SUMS:
        sums = _extend(chain, sums, kinds.pop(0))
    if math.prod(len(of_block.exits) for of_block in kinds) > _MOST_SUMS:
        return None
    ends = _ends(kinds, dtype)
    count_pairs = _count_by_order if len(chain.limits) == 1 else _count_one_by_one
    total = 0
    for width in np.unique(sums.widths).tolist():
        count = count_pairs(chain, sums[sums.widths == width], ends.part(ends.widths == width))
        if count is None:
            return None
        total += count
    return total


def _kinds(chain: Chain, index: int, dtype: np.dtype) -> _Kinds:
    block = chain.blocks[index]
    digits = [cost.sums.split(cost.blocks[index]) for cost in chain.costs]
    columns = np.vstack([*digits, block.entries, block.exits])
    _, rows, counts = np.unique(columns, axis=1, return_index=True, return_counts=True)
    kept = [of_cost[:, rows] for of_cost in digits]
    return _Kinds(block.costs[:, rows], kept, block.entries[rows], block.exits[rows], counts.astype(dtype))


def _extend(chain: Chain, sums: _Sums, kinds: _Kinds) -> _Sums:
    """The sums with one more block, equal ones as one."""
    before, after = meetings(sums.widths, kinds.entries)
    digits = [
        cost.sums.add(np.stack([some[:, before], more[:, after]], axis=1))
        for cost, some, more in zip(chain.costs, sums.digits, kinds.digits, strict=True)
    ]
    costs = sums.costs[:, before] + kinds.costs[:, after]
    longer = _Sums(costs, digits, kinds.exits[after], sums.counts[before] * kinds.counts[after])
    keys = np.vstack([*digits, longer.widths])
    order = np.lexsort(keys)
    differs = (np.diff(keys[:, order], axis=1) != 0).any(axis=0)
    starts = np.append(0, np.nonzero(differs)[0] + 1)
    different = longer[order[starts]]
    return dataclasses.replace(different, counts=np.add.reduceat(longer.counts[order], starts))


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
    totals = ends.costs(0)
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
        kept = _keeps(chain, 0, sums[before], ends.part(after))
        total += int(sums.counts[before[kept]] @ ends.counts[after[kept]])
    return total


def _count_one_by_one(chain: Chain, sums: _Sums, ends: _Ends) -> int | None:
    """The number of pairs that keep all limits, by looking at each."""
    if len(sums.widths) * len(ends.widths) > _MOST_PAIRS:
        return None
    totals = [ends.costs(cost) for cost in range(len(chain.costs))]
    at_once = max(1, _PAIRS_AT_ONCE // max(1, len(ends.widths)))
    total = 0
    for start in range(0, len(sums.widths), at_once):
        some = sums[start : start + at_once]
        kept = np.ones((len(some.widths), len(ends.widths)), np.bool_)
        for cost, (limit, rounding) in enumerate(zip(chain.limits, chain.roundings, strict=True)):
            pairs = some.costs[cost, :, np.newaxis] + totals[cost]
            kept &= pairs <= limit + rounding
            if rounding:
                before, after = np.nonzero(kept & (pairs > limit - rounding))
                kept[before, after] = _keeps(chain, cost, some[before], ends.part(after))
        total += int(some.counts @ (kept @ ends.counts))
    return total


def _keeps(chain: Chain, cost: int, sums: _Sums, ends: _Ends) -> NDArray[np.bool_]:
    """Which sums keep a limit with the sequence at the same position, exactly."""
    column = chain.costs[cost]
    digits = column.sums.add(np.stack([sums.digits[cost], *ends.digits(cost)], axis=1))
    return compare(digits, column.limit_digits) <= 0
