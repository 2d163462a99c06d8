"""The best suffixes of architectures, with which prefixes that may lose little more are finished at once.

Block by block, most of what a search touches would be prefixes with one row left in every block: of 80 blocks, forty
for each architecture.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nasray.analysis.exact.bounds.relaxation import Relaxation
from nasray.analysis.exact.chain import Block, Chain

_MOST = 512  # suffixes that are kept for each boundary and width


@dataclass(frozen=True, slots=True)
class Suffixes:
    """Suffixes from one boundary on, entered at one width, by ascending excess.

    Attributes:
        rows: Per suffix the row of each block left, [N, blocks left].
        excesses: The sums of these rows' excesses, [N].
        scores: The sums of their ratings, [N].
        costs: The sums of their costs, [J, N].
        complete_to: All suffixes of an excess up to this are among them.
    """

    rows: NDArray[np.int32]
    excesses: NDArray[np.float64]
    scores: NDArray[np.float64]
    costs: NDArray[np.float64]
    complete_to: float

    def __len__(self) -> int:
        return len(self.excesses)

    @classmethod
    def of_nothing(cls, num_costs: int) -> Self:
        """The one suffix behind the last block."""
        return cls(np.empty((1, 0), np.int32), np.zeros(1), np.zeros(1), np.zeros((num_costs, 1)), np.inf)


def best_suffixes(chain: Chain, relaxation: Relaxation) -> list[list[Suffixes]]:
    """Those of smallest excess: per block before which they begin, and width at which it is entered."""
    behind = [Suffixes.of_nothing(len(chain.limits))]
    found = []
    for block, excesses in zip(reversed(chain.blocks), reversed(relaxation.excesses), strict=True):
        behind = [_entered(block, excesses, width, behind) for width in range(block.num_entries)]
        found.append(behind)
    return found[::-1]


def _entered(block: Block, excesses: NDArray[np.float64], width: int, behind: list[Suffixes]) -> Suffixes:
    """The best suffixes that begin with a row of the block that is entered at the width."""
    parts = []
    for leaving, after in enumerate(behind):
        (rows,) = np.nonzero((block.entries == width) & (block.exits == leaving))
        if len(rows):
            parts.append(_followed(block, excesses, rows, after))
    sums = np.concatenate([part.excesses for part in parts])
    order = np.argsort(sums, kind="stable")[:_MOST]
    complete_to = min(part.complete_to for part in parts)
    if len(order) < len(sums):
        complete_to = min(complete_to, float(np.nextafter(sums[order[-1]], -np.inf)))
    return Suffixes(
        np.concatenate([part.rows for part in parts])[order],
        sums[order],
        np.concatenate([part.scores for part in parts])[order],
        np.concatenate([part.costs for part in parts], axis=1)[:, order],
        complete_to,
    )


def _followed(
    block: Block, excesses: NDArray[np.float64], rows: NDArray[np.int64], after: Suffixes
) -> Suffixes:
    """Some rows of the block with the suffixes behind them: the best, and others."""
    ascending = rows[np.argsort(excesses[rows], kind="stable")]
    # The i-th row with the j-th suffix has (i + 1) (j + 1) - 1 others that are no worse.
    numbers = np.minimum(len(after), _MOST // np.arange(1, len(ascending) + 1))
    first = np.repeat(ascending, numbers)
    rest = np.arange(len(first)) - np.repeat(np.cumsum(numbers) - numbers, numbers)
    sums = excesses[first] + after.excesses[rest]
    complete_to = float(excesses[ascending[0]]) + after.complete_to
    if len(sums) < len(ascending) * len(after):
        least_left_out = np.sort(sums)[_MOST - 1]
        complete_to = min(complete_to, float(np.nextafter(least_left_out, -np.inf)))
    return Suffixes(
        np.column_stack([first.astype(np.int32), after.rows[rest]]),
        sums,
        block.ratings[first] + after.scores[rest],
        block.costs[:, first] + after.costs[:, rest],
        complete_to,
    )
