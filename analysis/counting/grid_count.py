"""Certain bounds on the number of architectures within limits, from sums that are rounded down to a grid.

Every cost is a dimension of the grid. Costs are rounded down block by block, so that a rounded sum within the
limits is necessary for the sum itself to be, and sufficient once all that rounding may have taken is added back.
The chain is cut in two: the numbers per cell of the second half, accumulated from the origin on, tell for each cell
of the first half how many ends it has. A pilot on a coarse grid tells how finely each dimension is worth dividing.

Source: ours.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from nasray.analysis.counting.presolve import Part, Problem, pose
from nasray.analysis.exact.bounds.grid import Cells, Steps, add_block, num_additions
from nasray.analysis.exact.chain import Chain

_PILOT_CELLS = 2**18
_MOST_NUMBERS = 2**27  # on all grids at a time, which bounds the memory
_MOST_ADDITIONS = 2**31  # which bounds the time
_ENOUGH = 1e-4  # for the logarithm of the number to be unsure by
_LEAST_LOSS = 1e-6  # of precision that a dimension is taken to cause, and 1 / the largest
_LARGEST_WEIGHT = math.log(
    8
)  # logarithm of how much finer than on average a dimension may be divided, or coarser
_MARGIN = 1e-6  # more than what floating point may lead a quotient astray, in cells


@dataclass(frozen=True, slots=True)
class _Grid:
    """The parts of a problem on a grid.

    Attributes:
        offsets: Per part, how many cells its rows lead further along each dimension, rounded down, [D, N].
        top: The last cell along each dimension where a sum within the limits may be, [D].
        sure: The last one where all sums are within the limits, [D].
        shape: Numbers of cells along each dimension, [D]. All but the first, at whose end a sum merely leaves the
            grid, have room for one inner part beyond `top`, so that no sum carries over to the next dimension.
    """

    offsets: list[NDArray[np.int64]]
    top: NDArray[np.int64]
    sure: NDArray[np.int64]
    shape: tuple[int, ...]

    @property
    def strides(self) -> NDArray[np.int64]:
        """How far apart neighbours along each dimension are on the flat grid, [D]."""
        return np.array([math.prod(self.shape[axis + 1 :]) for axis in range(len(self.shape))], np.int64)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a grid tells.

    Attributes:
        lower: Certain lower bound.
        upper: Certain upper bound.
        losses: By how much the logarithm of `upper` falls without what is unsure along one dimension, [D].
        num_additions: How many it took at most.
    """

    lower: int
    upper: int
    losses: NDArray[np.float64]
    num_additions: int


@dataclass(frozen=True, slots=True)
class _Width:
    """What the two halves of the chain make at one of the widths where they meet.

    Attributes:
        positions: The cells on which prefixes fall, [D, N].
        shares: The share of prefixes that falls on each of them, [N].
        ends: For each cell of the flat grid, the share of ends that fall on it or nearer to the origin.
    """

    positions: NDArray[np.int64]
    shares: NDArray[np.float64]
    ends: Cells

    def share_within(self, limits: NDArray[np.int64], strides: NDArray[np.int64]) -> float:
        """The share of pairs of a prefix and an end that fall on cells up to `limits` together."""
        kept = (self.positions <= limits[:, np.newaxis]).all(axis=0)
        rests = limits[:, np.newaxis] - self.positions[:, kept]
        return float(self.shares[kept] @ self.ends[strides @ rests])


def bound_count(chain: Chain) -> tuple[int, int]:
    """Certain lower and upper bounds on the number of architectures that keep the limits of `chain`."""
    problem = pose(chain)
    if any(problem.limits < -problem.roundings):
        return 0, 0
    even = np.ones(len(problem.limits))
    pilot = _answer(problem, _lay(problem, _divide(problem, _PILOT_CELLS, even)))
    if pilot.lower == pilot.upper:
        return pilot.lower, pilot.upper
    finer = min((pilot.losses.sum() / _ENOUGH) ** len(even), _MOST_ADDITIONS / pilot.num_additions)
    num_grids = max(part.num_entries + part.num_exits for part in problem.parts)
    num_cells = min(_PILOT_CELLS * max(1.0, finer), _MOST_NUMBERS / num_grids)
    logarithms = np.log(pilot.losses)
    logarithms = np.clip(logarithms - logarithms.mean(), -_LARGEST_WEIGHT, _LARGEST_WEIGHT)
    sizes = _divide(problem, num_cells, np.exp(logarithms - logarithms.mean()))
    answer = _answer(problem, _lay(problem, sizes))
    return max(pilot.lower, answer.lower), min(pilot.upper, answer.upper)


def _divide(problem: Problem, num_cells: float, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sizes of the cells of a grid of about `num_cells`, as fine as `weights`, whose product is 1; [D]."""
    limits = problem.limits + problem.roundings
    costs = [part.costs.max(axis=1, initial=0.0) for part in problem.parts[1:-1]]
    reach = np.max(costs, axis=0, initial=0.0) if costs else np.zeros_like(limits)
    # All dimensions but the first have room beyond the limit, see `_Grid.shape`.
    room = 1 + np.divide(reach, limits, out=np.zeros_like(limits), where=limits > 0)
    room[0] = 1
    divisions = weights * (num_cells / room.prod()) ** (1 / len(limits)) / room - 1
    sizes = limits / np.maximum(1, divisions)
    sizes = np.where(problem.whole, np.ceil(sizes), sizes)
    return np.where(sizes > 0, sizes, 1)


def _lay(problem: Problem, sizes: NDArray[np.float64]) -> _Grid:
    """The grid with cells of the given sizes."""
    quotients = [part.costs / sizes[:, np.newaxis] for part in problem.parts]
    offsets = [np.floor(of_rows).astype(np.int64) for of_rows in quotients]
    lost = np.zeros_like(sizes)
    for exact, rounded in zip(quotients, offsets, strict=True):
        lost += (exact - rounded).max(axis=1, initial=0.0)
    lost += np.where(problem.whole & (lost == 0), 0.0, _MARGIN)
    top = np.floor((problem.limits + problem.roundings) / sizes + _MARGIN).astype(np.int64)
    sure = np.floor((problem.limits - problem.roundings) / sizes - lost).astype(np.int64)
    beyond = np.zeros_like(top)
    for of_rows in offsets[1:-1]:
        beyond = np.maximum(beyond, of_rows.max(axis=1, initial=0))
    shape = (int(top[0]) + 1, *(top + beyond + 1)[1:].tolist())
    return _Grid(offsets, top, sure, shape)


def _answer(problem: Problem, grid: _Grid) -> _Answer:
    """The bounds that `grid` gives."""
    parts, cut = problem.parts, _middle(problem.parts)
    before, additions_before = _half(parts[:cut], grid, grid.offsets[:cut], backwards=False)
    after, additions_after = _half(parts[cut:][::-1], grid, grid.offsets[cut:][::-1], backwards=True)
    widths = [_meet(prefixes, ends, grid.shape) for prefixes, ends in zip(before, after, strict=True)]

    def share(limits: NDArray[np.int64]) -> float:
        return sum(width.share_within(limits, grid.strides) for width in widths)

    upper, lower = share(grid.top), share(grid.sure)
    losses = np.full(len(grid.top), _LEAST_LOSS)
    for axis in range(len(losses)) if upper else ():
        without = share(np.where(np.arange(len(losses)) == axis, grid.sure, grid.top))
        losses[axis] = max(-math.log(max(without / upper, _LEAST_LOSS)), _LEAST_LOSS)
    num_sums = sum(map(len, parts)) + sum(grid.shape) + max(len(width.shares) for width in widths)
    bounds = _whole_bounds(lower, upper, sum(map(_exponent, parts)), num_sums)
    return _Answer(*bounds, losses, additions_before + additions_after)


def _middle(parts: list[Part]) -> int:
    """Where to cut the chain so that the larger half has as few rows as possible."""
    sizes = np.cumsum([math.log(max(1, len(part))) for part in parts])
    return int(np.abs(sizes - sizes[-1] / 2).argmin()) + 1


def _exponent(part: Part) -> int:
    """The power of two that the numbers of a part are given in, which keeps shares from overflowing."""
    return math.ceil(math.log2(max(1, len(part))))


def _half(
    parts: list[Part], grid: _Grid, offsets: list[NDArray[np.int64]], backwards: bool
) -> tuple[list[Cells], int]:
    """Per width at the cut, the share of sums of `parts` on each cell; and the number of additions."""
    cells = [np.zeros(math.prod(grid.shape))]
    cells[0][0] = 1.0
    additions = 0
    for part, of_rows in zip(parts, offsets, strict=True):
        shares = np.full(len(part), 2.0 ** -_exponent(part))
        widths = (part.exits, part.entries) if backwards else (part.entries, part.exits)
        steps = Steps(grid.strides @ of_rows, shares, *widths)
        additions += num_additions(cells, steps)
        cells = add_block(cells, steps, part.num_entries if backwards else part.num_exits)
        for of_width in cells:
            by_axes = of_width.reshape(grid.shape)
            for axis, top in enumerate(grid.top.tolist()):
                by_axes[(slice(None),) * axis + (slice(top + 1, None),)] = 0.0
    return cells, additions


def _meet(prefixes: Cells, ends: Cells, shape: tuple[int, ...]) -> _Width:
    """The two halves at a width; `ends` is overwritten."""
    (occupied,) = np.nonzero(prefixes)
    by_axes = ends.reshape(shape)
    for axis in range(len(shape)):
        np.cumsum(by_axes, axis=axis, out=by_axes)
    return _Width(np.array(np.unravel_index(occupied, shape)), prefixes[occupied], ends)


def _whole_bounds(lower: float, upper: float, exponent: int, num_sums: int) -> tuple[int, int]:
    """Certain whole numbers from shares in units of 2^-`exponent`, each made by at most `num_sums` additions."""
    # Up to 2^53 the shares are whole multiples of their unit, and float64 sums them exactly.
    error = Fraction(0) if exponent <= 53 else Fraction(num_sums, 2**52)
    # Shares below float64's smallest number are lost, fewer than 2^100 of them.
    vanished = Fraction(0) if exponent <= 900 else Fraction(1, 2**900)
    scale = 2**exponent
    certain = math.floor(Fraction(lower) * (1 - error) * scale)
    return certain, math.ceil((Fraction(upper) * (1 + error) + vanished) * scale)
