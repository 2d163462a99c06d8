"""Certain bounds on the number of architectures within limits, from sums that are rounded down to a grid.

Every cost is a dimension of the grid. Costs are rounded down block by block, so that a rounded sum within the
limits is necessary for the sum itself to be, and sufficient once all that rounding may have taken is added back.
The chain is cut in two: the numbers per cell of the second half, accumulated from the origin on, tell for each cell
of the first half how many ends it has. A pilot on a coarse grid tells how finely each dimension is worth dividing.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from analysis.chain import Chain
from analysis.grid import Cells, Steps, add_block, num_additions
from analysis.parts import Part, Problem, pose

_PILOT_CELLS = 2**18
_MOST_NUMBERS = 2**27  # on all grids at a time, which bounds the memory
_MOST_ADDITIONS = 2**31  # which bounds the time
_ENOUGH = 1e-4  # for the logarithm of the number to be unsure by
_LARGEST_WEIGHT = 8.0  # how much finer or coarser than on average a dimension may be divided
_MARGIN = 1e-6  # more than what floating point may lead a quotient astray, in cells


@dataclass(frozen=True, slots=True)
class _Grid:
    """The parts of a problem on a grid.

    Attributes:
        offsets: Per part, how many cells its rows lead further along each dimension, rounded down, [D, N].
        top: The last cell along each dimension where a sum within the limits may be, [D].
        sure: The last one where all sums are within the limits, [D].
        shape: Number of cells along each dimension, [D]. All but the first, at whose end a sum merely leaves the
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
        losses: By how much leaving out what is unsure along one dimension lowers the logarithm of `upper`, [D].
        num_additions: What it took at most.
    """

    lower: int
    upper: int
    losses: NDArray[np.float64]
    num_additions: int


def bound_count(chain: Chain) -> tuple[int, int]:
    """Certain lower and upper bounds on the number of architectures that keep the limits of `chain`."""
    problem = pose(chain)
    if any(problem.limits < -problem.roundings):
        return 0, 0
    even = np.ones(len(problem.limits))
    pilot = _answer(problem, _divide(problem, _PILOT_CELLS, even))
    if pilot.lower == pilot.upper:
        return pilot.lower, pilot.upper
    num_grids = max(part.num_entries + part.num_exits for part in problem.parts)
    finer = min((pilot.losses.sum() / _ENOUGH) ** len(even), _MOST_ADDITIONS / pilot.num_additions)
    num_cells = min(_PILOT_CELLS * max(1.0, finer), _MOST_NUMBERS / num_grids)
    weights = pilot.losses / np.exp(np.log(pilot.losses).mean())
    weights = np.clip(weights, 1 / _LARGEST_WEIGHT, _LARGEST_WEIGHT)
    answer = _answer(problem, _divide(problem, num_cells, weights / np.exp(np.log(weights).mean())))
    return max(pilot.lower, answer.lower), min(pilot.upper, answer.upper)


def _divide(problem: Problem, num_cells: float, weights: NDArray[np.float64]) -> _Grid:
    """A grid of about `num_cells`, the dimensions divided in proportion to `weights`, whose product is 1."""
    limits = problem.limits + problem.roundings
    costs = [part.costs.max(axis=1, initial=0.0) for part in problem.parts[1:-1]]
    reach = np.max(costs, axis=0, initial=0.0) if costs else np.zeros_like(limits)
    room = 1 + np.divide(reach, limits, out=np.zeros_like(limits), where=limits > 0)
    room[0] = 1
    resolution = np.maximum(1, weights * (num_cells / room.prod()) ** (1 / len(limits)) / room - 1)
    sizes = limits / resolution
    sizes = np.where(problem.whole, np.ceil(sizes), sizes)
    sizes[sizes == 0] = 1
    quotients = [part.costs / sizes[:, np.newaxis] for part in problem.parts]
    offsets = [np.floor(of_rows).astype(np.int64) for of_rows in quotients]
    lost = np.sum(
        [
            (exact - rounded).max(axis=1, initial=0.0)
            for exact, rounded in zip(quotients, offsets, strict=True)
        ],
        axis=0,
    )
    lost += np.where(problem.whole & (lost == 0), 0.0, _MARGIN)
    top = np.floor(limits / sizes + _MARGIN).astype(np.int64)
    sure = np.floor((problem.limits - problem.roundings) / sizes - lost).astype(np.int64)
    beyond = np.max([of_rows.max(axis=1, initial=0) for of_rows in offsets[1:-1]] or [0 * top], axis=0)
    shape = (int(top[0]) + 1, *(top + beyond + 1)[1:].tolist())
    return _Grid(offsets, top, sure, shape)


def _answer(problem: Problem, grid: _Grid) -> _Answer:
    """The bounds that `grid` gives."""
    parts = problem.parts
    cut = _middle(parts)
    first, first_additions = _half(parts[:cut], grid, grid.offsets[:cut], backwards=False)
    second, second_additions = _half(parts[cut:][::-1], grid, grid.offsets[cut:][::-1], backwards=True)
    pairs = []
    for beginnings, ends in zip(first, second, strict=True):
        (occupied,) = np.nonzero(beginnings)
        positions = np.array(np.unravel_index(occupied, grid.shape))
        by_axes = ends.reshape(grid.shape)
        for axis in range(by_axes.ndim):
            np.cumsum(by_axes, axis=axis, out=by_axes)
        pairs.append((positions, beginnings[occupied], ends))

    def share(limits: NDArray[np.int64]) -> float:
        """Share of the pairs of rows, all widths allowed, that keep `limits`, in cells."""
        total = 0.0
        for positions, numbers, ends in pairs:
            kept = (positions <= limits[:, np.newaxis]).all(axis=0)
            total += float(numbers[kept] @ ends[grid.strides @ (limits[:, np.newaxis] - positions[:, kept])])
        return total

    upper, lower = share(grid.top), share(grid.sure)
    losses = [
        math.log(upper / max(share(np.where(axis, grid.sure, grid.top)), 1e-4 * upper)) if upper else 0.0
        for axis in np.eye(len(grid.shape), dtype=np.bool_)
    ]
    num_sums = sum(map(len, parts)) + sum(grid.shape) + max(len(numbers) for _, numbers, _ in pairs)
    return _Answer(
        *_whole_bounds(lower, upper, sum(map(_exponent, parts)), num_sums),
        losses=np.maximum(losses, 1e-6),
        num_additions=first_additions + second_additions,
    )


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


def _whole_bounds(lower: float, upper: float, exponent: int, num_sums: int) -> tuple[int, int]:
    """Certain whole numbers from shares in units of 2^-`exponent`, each made by at most `num_sums` additions."""
    # Up to 2^53 the shares are whole multiples of their unit, and float64 sums them exactly.
    error = Fraction(0) if exponent <= 53 else Fraction(num_sums, 2**52)
    # Shares below float64's smallest number are lost, fewer than 2^100 of them.
    vanished = Fraction(0) if exponent <= 900 else Fraction(1, 2**900)
    scale = 2**exponent
    certain = math.floor(Fraction(lower) * (1 - error) * scale)
    return certain, math.ceil((Fraction(upper) * (1 + error) + vanished) * scale)
