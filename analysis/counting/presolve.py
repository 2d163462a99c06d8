"""Presolve of a chain for a grid: blocks merged, minimum costs subtracted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasray.analysis.exact.chain import Chain, meetings

_MOST_MERGED = 2**20  # rows of the blocks at an end of the chain that become one part


@dataclass(frozen=True, slots=True)
class Part:
    """A block, or several in a row as one.

    Attributes:
        costs: By how much the rows exceed the smallest costs, [D, N] for D limits.
        entries: Index of the width at which a row is entered, [N].
        exits: Index of the width at which a row is left, [N].
        num_entries: Number of widths before the part.
        num_exits: Number of widths after the part.
    """

    costs: NDArray[np.float64]
    entries: NDArray[np.int64]
    exits: NDArray[np.int64]
    num_entries: int
    num_exits: int

    def __len__(self) -> int:
        return len(self.entries)

    def within(self, limits: NDArray[np.float64]) -> "Part":
        """The part without the rows that exceed `limits` by themselves."""
        kept = (self.costs <= limits[:, np.newaxis]).all(axis=0)
        return Part(
            self.costs[:, kept], self.entries[kept], self.exits[kept], self.num_entries, self.num_exits
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """The parts of a chain and what the sums of their costs must keep.

    Attributes:
        parts: First part first.
        limits: [D].
        roundings: How far floating point may lead sums astray, 0 for whole costs, [D].
        whole: Whether a cost is made of whole numbers, [D].
    """

    parts: list[Part]
    limits: NDArray[np.float64]
    roundings: NDArray[np.float64]
    whole: NDArray[np.bool_]


def pose(chain: Chain) -> Problem:
    """The problem of keeping the chain's limits."""
    limits, roundings = chain.limits, chain.roundings
    num_entries = [block.num_entries for block in chain.blocks] + [1]
    parts = [
        Part(block.costs, block.entries, block.exits, before, after).within(limits + roundings)
        for block, before, after in zip(chain.blocks, num_entries, num_entries[1:], strict=False)
    ]
    while len(parts) > 2 and len(parts[0]) * len(parts[1]) <= _MOST_MERGED:
        parts[:2] = [_merge(parts[0], parts[1]).within(limits + roundings)]
    while len(parts) > 2 and len(parts[-2]) * len(parts[-1]) <= _MOST_MERGED:
        parts[-2:] = [_merge(parts[-2], parts[-1]).within(limits + roundings)]
    return Problem(parts, limits, roundings, chain.whole)


def _merge(first: Part, second: Part) -> Part:
    """Every row of `first` followed by every row of `second` that is entered where it is left."""
    before, after = meetings(first.exits, second.entries)
    return Part(
        first.costs[:, before] + second.costs[:, after],
        first.entries[before],
        second.exits[after],
        first.num_entries,
        second.num_exits,
    )
