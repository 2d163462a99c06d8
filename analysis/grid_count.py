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

_PILOT_CELLS = 2**18
_MOST_NUMBERS = 2**27  # on all grids at a time, which bounds the memory
_MOST_ADDITIONS = 2**31  # which bounds the time
_MOST_MERGED = 2**20  # rows of blocks at an end of the chain that are summed before they are rounded
_LARGEST_WEIGHT = 8.0  # how much finer or coarser than on average a dimension may be divided
_MARGIN = 1e-6  # more than what floating point may lead a quotient astray, in cells


@dataclass(frozen=True, slots=True)
class _Part:
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

    def within(self, limits: NDArray[np.float64]) -> "_Part":
        """The part without the rows that exceed `limits` by themselves."""
        kept = (self.costs <= limits[:, np.newaxis]).all(axis=0)
        return _Part(
            self.costs[:, kept], self.entries[kept], self.exits[kept], self.num_entries, self.num_exits
        )


@dataclass(frozen=True, slots=True)
class _Problem:
    """The parts of a chain, at least two, and what the sums of their costs must keep.

    Attributes:
        parts: First part first.
        limits: [D].
        roundings: How far floating point may lead sums astray, 0 for whole costs, [D].
        whole: Whether a cost is made of whole numbers, [D].
    """

    parts: list[_Part]
    limits: NDArray[np.float64]
    roundings: NDArray[np.float64]
    whole: NDArray[np.bool_]


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
    problem = _pose(chain)
    if any(problem.limits < -problem.roundings):
        return 0, 0
    even = np.ones(len(problem.limits))
    pilot = _answer(problem, _divide(problem, _PILOT_CELLS, even))
    if pilot.lower == pilot.upper:
        return pilot.lower, pilot.upper
    num_grids = max(part.num_entries + part.num_exits for part in problem.parts)
    num_cells = min(_MOST_NUMBERS // num_grids, _PILOT_CELLS * _MOST_ADDITIONS // pilot.num_additions)
    weights = pilot.losses / np.exp(np.log(pilot.losses).mean())
    weights = np.clip(weights, 1 / _LARGEST_WEIGHT, _LARGEST_WEIGHT)
    answer = _answer(problem, _divide(problem, num_cells, weights / np.exp(np.log(weights).mean())))
    return max(pilot.lower, answer.lower), min(pilot.upper, answer.upper)


def _pose(chain: Chain) -> _Problem:
    """The problem with the smallest costs of each block taken off, and off the limits."""
    smallest = [block.costs.min(axis=1) for block in chain.blocks]
    magnitudes = np.sum([np.abs(block.costs).max(axis=1) for block in chain.blocks], axis=0)
    roundings = 8 * len(chain.blocks) * np.finfo(np.float64).eps * (magnitudes + np.abs(chain.limits))
    roundings = np.where(chain.whole, 0.0, roundings)
    limits = np.where(chain.whole, np.floor(chain.limits), chain.limits) - np.sum(smallest, axis=0)
    num_entries = [block.num_entries for block in chain.blocks] + [1]
    parts = [
        _Part(block.costs - least[:, np.newaxis], block.entries, block.exits, before, after).within(
            limits + roundings
        )
        for block, least, before, after in zip(
            chain.blocks, smallest, num_entries, num_entries[1:], strict=False
        )
    ]
    while len(parts) > 2 and len(parts[0]) * len(parts[1]) <= _MOST_MERGED:
        parts[:2] = [_merge(parts[0], parts[1]).within(limits + roundings)]
    while len(parts) > 2 and len(parts[-2]) * len(parts[-1]) <= _MOST_MERGED:
        parts[-2:] = [_merge(parts[-2], parts[-1]).within(limits + roundings)]
    return _Problem(parts, limits, roundings, chain.whole)


def _merge(first: _Part, second: _Part) -> _Part:
    """Every row of `first` followed by every row of `second` that is entered where it is left."""
    pairs = [
        np.array(np.meshgrid(np.nonzero(first.exits == width), np.nonzero(second.entries == width)))
        for width in range(first.num_exits)
    ]
    before, after = np.concatenate([pair.reshape(2, -1) for pair in pairs], axis=1)
    return _Part(
        first.costs[:, before] + second.costs[:, after],
        first.entries[before],
        second.exits[after],
        first.num_entries,
        second.num_exits,
    )


def _divide(problem: _Problem, num_cells: int, weights: NDArray[np.float64]) -> _Grid:
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


def _answer(problem: _Problem, grid: _Grid) -> _Answer:
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
            total += numbers[kept] @ ends[grid.strides @ (limits[:, np.newaxis] - positions[:, kept])]
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


def _middle(parts: list[_Part]) -> int:
    """Where to cut the chain so that the larger half has as few rows as possible."""
    sizes = np.cumsum([math.log(max(1, len(part))) for part in parts])
    return int(np.abs(sizes[:-1] - sizes[-1] / 2).argmin()) + 1


def _exponent(part: _Part) -> int:
    """The power of two that the numbers of a part are given in, which keeps shares from overflowing."""
    return math.ceil(math.log2(max(1, len(part))))


def _half(
    parts: list[_Part], grid: _Grid, offsets: list[NDArray[np.int64]], backwards: bool
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
