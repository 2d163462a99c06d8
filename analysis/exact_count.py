"""The exact number of architectures within limits, where there are few enough sums to tell them apart."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.chain import Chain

_MOST_SUMS = 2**20  # different ones, of the blocks on either side of the cut
_MOST_PAIRS = 2**28  # of sums from both sides that are looked at one by one
_PAIRS_AT_ONCE = 2**22


@dataclass(frozen=True, slots=True)
class _Kind:
    """Rows of a block that no limit tells apart."""

    costs: NDArray[np.float64]  # [D, N]
    entries: NDArray[np.int64]  # [N]
    exits: NDArray[np.int64]  # [N]
    counts: NDArray  # rows of each kind, [N]


def count_all(chain: Chain) -> int:
    """The number of architectures of `chain`, whatever its limits."""
    ends = [1]
    for block in reversed(chain.blocks):
        pairs, counts = np.unique(np.stack([block.entries, block.exits]), axis=1, return_counts=True)
        before = [0] * block.num_entries
        for (entry, exit_), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
            before[entry] += count * ends[exit_]
        ends = before
    return ends[0]
