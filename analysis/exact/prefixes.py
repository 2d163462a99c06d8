"""Prefixes of architectures: their first rows and sums, and by which rows they may be followed."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nasray.analysis.exact.bounds.relaxation import Relaxation, smallest_completions
from nasray.analysis.exact.chain import Block, Chain


@dataclass(frozen=True, slots=True)
class Prefixes:
    """Rows of the first blocks, in the order of IDs, and their sums: the score from left to right."""

    rows: NDArray[np.int32]  # [N, blocks taken]
    widths: NDArray[np.int64]  # index of the width at which the next block is entered, [N]
    excesses: NDArray[np.float64]  # [N]
    scores: NDArray[np.float64]  # [N]
    costs: NDArray[np.float64]  # [J, N]

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, part: slice | NDArray[np.bool_] | NDArray[np.int64]) -> Self:
        return type(self)(
            self.rows[part], self.widths[part], self.excesses[part], self.scores[part], self.costs[:, part]
        )

    def followed_by(self, step: "Step", rows: NDArray[np.int64]) -> Self:
        """Each with one more row, of the block of `step`."""
        return type(self)(
            np.column_stack([self.rows, rows.astype(np.int32)]),
            step.block.exits[rows],
            self.excesses + step.excesses[rows],
            self.scores + step.block.ratings[rows],
            self.costs + step.block.costs[:, rows],
        )


@dataclass(frozen=True, slots=True)
class Step:
    """A block with what its rows lead to at least, [N] per row unless said otherwise."""

    block: Block
    excesses: NDArray[np.float64]
    by_excess: NDArray[np.int64]  # rows by the width they are entered at, then by excess
    starts: NDArray[np.int64]  # where a width's rows start in by_excess, [num_entries + 1]
    least_rests: NDArray[np.float64]  # the smallest rest of the score by width of entry, [num_entries]
    least_scores: NDArray[np.float64]  # the smallest rest of the score from the row on
    least_costs: NDArray[np.float64]  # the smallest rest of each cost from the row on, [J, N]


def steps(chain: Chain, relaxation: Relaxation) -> Iterator[Step]:
    """What a search knows of each block."""
    score_rests = smallest_completions(chain, [block.ratings for block in chain.blocks])
    cost_rests = [
        smallest_completions(chain, [block.costs[cost] for block in chain.blocks])
        for cost in range(len(chain.limits))
    ]
    for index, block in enumerate(chain.blocks):
        excesses = relaxation.excesses[index]
        after = score_rests[index + 1]
        rests = [completions[index + 1][block.exits] for completions in cost_rests]
        yield Step(
            block=block,
            excesses=excesses,
            by_excess=np.lexsort([excesses, block.entries]),
            starts=np.searchsorted(np.sort(block.entries), np.arange(block.num_entries + 1)),
            least_rests=score_rests[index],
            least_scores=block.ratings + after[block.exits],
            least_costs=block.costs + np.array(rests).reshape(block.costs.shape),
        )


def num_within(step: Step, prefixes: Prefixes, slack: float) -> NDArray[np.int64]:
    """By how many rows, in the order of their excess, each prefix may be followed within `slack`."""
    counts = np.zeros(len(prefixes), np.int64)
    ascending = step.excesses[step.by_excess]
    for width, (start, stop) in enumerate(itertools.pairwise(step.starts)):
        entered = prefixes.widths == width
        rests = slack - prefixes.excesses[entered]
        counts[entered] = np.searchsorted(ascending[start:stop], rests, side="right")
    return counts
