"""The distribution of scores over all architectures, built block by block on a grid.

Source: ours; a convolution along the chain of blocks, with a count per width that is reached, as in `grid_count`.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasray.analysis.counting.exact_count import count_all
from nasray.analysis.exact.bounds.relaxation import smallest_completions
from nasray.analysis.exact.chain import Block, Chain, link
from nasray.errors import UserError

_CELLS = 10  # per bin and block, so that all roundings together are a 20th of a bin
_MOST_CELLS = 2**18

# Numbers of sequences of rows: int64, Python's integers where these are too small, or float64.
Numbers = NDArray[Any]


@dataclass(frozen=True, slots=True)
class ScoreDistribution:
    """How many of all architectures have a score between two edges.

    Attributes:
        edges: From the best score of all to the worst, equally far apart, [num_bins + 1]. If all scores are equal,
            from a half below to a half above.
        counts: Python's integers, whose sum is exactly the number of all architectures, [num_bins].
        rounding: Only an architecture whose score is no farther than this from an edge may be counted on its other
            side. A 20th of a bin at the most, where a quarter of a million cells are enough for that.
    """

    edges: NDArray[np.float64]
    counts: tuple[int, ...]
    rounding: float


@dataclass(frozen=True, slots=True)
class Kinds:
    """The rows of a block that are alike on a grid: same widths, same cell.

    Attributes:
        entries: Index of the width at which the block is entered, [N].
        exits: Index of the width at which it is left, [N].
        offsets: How many cells the rows lead further, from 0 on, [N].
        counts: How many rows are of the kind, [N].
        rows: All rows of the block, kind by kind.
        num_entries: Number of widths at the boundary before the block.
    """

    entries: NDArray[np.int64]
    exits: NDArray[np.int64]
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    rows: NDArray[np.int64]
    num_entries: int


@dataclass(frozen=True, slots=True)
class ScoreGrid:
    """Sums of a value of each row along all chains, rounded to the cells of a grid.

    Attributes:
        kinds: The rows of each block.
        origin: The sum that cell 0 stands for.
        cell: How far apart the sums are that neighbours stand for.
        rounding: How far a sum may be from that of its cell, in whatever order it is made.
    """

    kinds: tuple[Kinds, ...]
    origin: float
    cell: float
    rounding: float

    @classmethod
    def lay(cls, chain: Chain, values: Sequence[NDArray[np.float64]], cell: float) -> "ScoreGrid":
        """The grid of the sums of `values`, one per row of each block, with cells of that size; larger if too many."""
        cell = max(cell, sum(float(np.ptp(of_rows)) for of_rows in values) / _MOST_CELLS)
        kinds = tuple(
            _kinds(block, of_rows, cell) for block, of_rows in zip(chain.blocks, values, strict=True)
        )
        rounding = (
            16 * len(values) * np.finfo(np.float64).eps * sum(np.abs(of_rows).max() for of_rows in values)
        )
        for of_block, of_rows in zip(kinds, values, strict=True):
            offsets = np.repeat(of_block.offsets, of_block.counts)
            rounding += np.abs(of_rows[of_block.rows] - of_rows.min() - cell * offsets).max()
        return cls(kinds, sum(float(of_rows.min()) for of_rows in values), cell, float(rounding))

    def completions(self, dtype: np.dtype) -> Iterator[Numbers]:
        """How many sequences of rows lead from a boundary to the end, per width and cell; the last boundary first.

        Each is [widths, cells]. Of float64 they are shares of all sequences of rows, which cannot overflow.
        """
        numbers: Numbers = np.ones((1, 1), dtype)
        yield numbers
        for kinds in reversed(self.kinds):
            weights = kinds.counts.astype(dtype)
            if dtype == np.float64:
                weights /= len(kinds.rows)
            numbers = _precede(kinds, weights, numbers)
            yield numbers


def score_distribution(tables: Sequence[pd.DataFrame], *, num_bins: int = 60) -> ScoreDistribution:
    """How many of all architectures whose widths meet have which score, whatever the budgets.

    Args:
        tables: The ratings of each block, as for `nasray.analysis.exact.ranking.top_architectures`.
        num_bins: How many bins.

    Raises:
        UserError: If there are no bins, or the tables are not what `top_architectures` asks for.
    """
    if num_bins < 1:
        raise UserError(f"num_bins must be at least 1, got {num_bins}")
    chain = link(tables, None)
    edges = _edges(chain, num_bins)
    cell = float(edges[-1] - edges[0]) / (num_bins * _CELLS * len(chain.blocks))
    grid = ScoreGrid.lay(chain, [block.ratings for block in chain.blocks], cell)
    # int64 holds every number up to the total; beyond it Python's own integers must do.
    dtype = np.dtype(np.int64 if count_all(chain) < 2**62 else object)
    (numbers,) = deque(grid.completions(dtype), maxlen=1).pop()
    scores = grid.origin + grid.cell * np.arange(len(numbers))
    starts = np.searchsorted(scores, edges[1:-1])
    counts = tuple(sum(part.tolist()) for part in np.split(numbers, starts))
    unscaled = np.array([float(chain.score.unscaled(edge)) for edge in edges.tolist()])
    rounding = np.ldexp(grid.rounding, chain.score.exponent) + np.spacing(np.abs(unscaled).max())
    return ScoreDistribution(unscaled, counts, float(rounding))


def _edges(chain: Chain, num_bins: int) -> NDArray[np.float64]:
    """Where bins begin and end, as searches see scores."""
    values = [block.ratings for block in chain.blocks]
    best = float(smallest_completions(chain, values)[0][0])
    worst = -float(smallest_completions(chain, [-of_rows for of_rows in values])[0][0])
    margin = 0.0 if best < worst else 0.5
    return np.linspace(best - margin, worst + margin, num_bins + 1)


def _kinds(block: Block, values: NDArray[np.float64], cell: float) -> Kinds:
    cells = np.rint((values - values.min()) / cell).astype(np.int64)
    columns = np.stack([block.entries, block.exits, cells])
    unique, kind_of_row, counts = np.unique(columns, axis=1, return_inverse=True, return_counts=True)
    rows = np.argsort(kind_of_row.ravel(), kind="stable")
    entries, exits, offsets = unique
    return Kinds(entries, exits, offsets, counts, rows, block.num_entries)


def _precede(kinds: Kinds, weights: Numbers, after: Numbers) -> Numbers:
    """The numbers at the boundary before a block from those behind it; rows of a kind count by its weight."""
    num_cells = after.shape[1]
    before = np.zeros((kinds.num_entries, num_cells + int(kinds.offsets.max())), after.dtype)
    columns = (kinds.entries, kinds.exits, kinds.offsets, weights)
    for entry, exit_, offset, weight in zip(*(column.tolist() for column in columns), strict=True):
        before[entry, offset : offset + num_cells] += weight * after[exit_]
    return before
