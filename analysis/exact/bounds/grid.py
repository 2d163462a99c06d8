"""A grid of sums: how many architectures fall on each cell, built block by block."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.float64]  # a number per cell of the grid, flat
_DENSE = 8  # at more than one occupied cell in so many, adding whole ranges of cells is the faster way


@dataclass(frozen=True, slots=True)
class Steps:
    """The rows of a block as steps on the grid from a width on one side of the block to one on the other.

    Attributes:
        offsets: By how many cells of the flat grid a row leads further, from 0 on, [N].
        counts: How many rows the row stands for, [N].
        sources: Index of the width on the side that is reached already, [N].
        targets: Index of the width on the other side, [N].
    """

    offsets: NDArray[np.int64]
    counts: NDArray[np.float64]
    sources: NDArray[np.int64]
    targets: NDArray[np.int64]


def add_block(cells: list[Cells], steps: Steps, num_targets: int) -> list[Cells]:
    """The numbers per cell after one more block, for each width; what leaves the grid at its end is dropped.

    `cells` has the numbers before the block, for each width among the sources.
    """
    after = [np.zeros_like(cells[0]) for _ in range(num_targets)]
    for source, before in enumerate(cells):
        (occupied,) = np.nonzero(before)
        for target, result in enumerate(after):
            rows = (steps.sources == source) & (steps.targets == target)
            offsets, inverse = np.unique(steps.offsets[rows], return_inverse=True)
            counts = np.zeros(len(offsets))
            np.add.at(counts, inverse, steps.counts[rows])
            if len(occupied) < len(offsets):
                _add_shifted(result, offsets, counts, occupied, before[occupied])
            elif len(occupied) and len(occupied) * _DENSE > occupied[-1] - occupied[0]:
                _add_ranges(result, before[: occupied[-1] + 1], int(occupied[0]), offsets, counts)
            else:
                _add_shifted(result, occupied, before[occupied], offsets, counts)
    return after


def num_additions(cells: list[Cells], steps: Steps) -> int:
    """How many additions `add_block` makes at most."""
    return sum(
        int(np.count_nonzero(before)) * int(np.count_nonzero(steps.sources == source))
        for source, before in enumerate(cells)
    )


def _add_shifted(
    result: Cells,
    positions: NDArray[np.int64],
    numbers: NDArray[np.float64],
    shifts: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> None:
    """Adds `numbers`, at distinct ascending `positions`, to `result` at each of the shifts."""
    stops = np.searchsorted(positions, len(result) - shifts)
    for shift, weight, stop in zip(shifts.tolist(), weights.tolist(), stops.tolist(), strict=True):
        # The positions are distinct, so that no addition is lost.
        result[positions[:stop] + shift] += weight * numbers[:stop]


def _add_ranges(
    result: Cells, numbers: Cells, first: int, shifts: NDArray[np.int64], weights: NDArray[np.float64]
) -> None:
    """Adds the range of `numbers` from `first` on to `result` at each of the shifts."""
    for shift, weight in zip(shifts.tolist(), weights.tolist(), strict=True):
        stop = min(len(numbers), len(result) - shift)
        if stop > first:
            result[first + shift : stop + shift] += weight * numbers[first:stop]
