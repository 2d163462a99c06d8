"""Networks to time: some in which every step stands often, and some to hold the sums to."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from nasray.search_spaces.architecture import Architecture, Candidate
from nasray.search_spaces.chain.block import Cell
from nasray.search_spaces.chain.space import SearchSpace
from nasray.trainables.latency.steps import Step, all_steps, architecture_steps, candidate_steps

_TRIES = 50  # draws per network that is wanted, before a small space is taken to hold no more


def covering_networks(space: SearchSpace, times: int, rng: np.random.Generator) -> list[Architecture]:
    """Architectures in which every step of the space stands at least so many times, in changing company.

    Source: ours. Block by block, the cell with the rarest step so far, then per layer the rarest operation; chance
    decides among equals.
    """
    wanted, counts = all_steps(space), Counter[Step]()
    architectures = []
    while any(counts[step] < times for step in wanted):
        architectures.append(_rarest(space, counts, rng))
        counts.update(architecture_steps(space, architectures[-1]))
    return architectures


def varied_networks(space: SearchSpace, number: int, rng: np.random.Generator) -> list[Architecture]:
    """Different architectures, fewer where the space has no more.

    Cells are drawn evenly, so that the networks differ in depth and width as much as they can; of all architectures
    drawn evenly, most would have the largest cells.
    """
    drawn: dict[str, Architecture] = {}
    for _ in range(_TRIES * number):
        cells = [block.cells[rng.integers(len(block.cells))] for block in space.blocks]
        architecture = Architecture(tuple(_draw(cell, rng) for cell in cells))
        drawn.setdefault(str(architecture), architecture)
        if len(drawn) == number:
            break
    return list(drawn.values())


def _draw(cell: Cell, rng: np.random.Generator) -> Candidate:
    return Candidate(cell.width, tuple(choices[rng.integers(len(choices))] for choices in cell.operations))


def _rarest(space: SearchSpace, counts: Counter[Step], rng: np.random.Generator) -> Architecture:
    """The next architecture to add: in every block what stands there most rarely."""
    candidates: list[Candidate] = []
    in_channels = space.input_shape[0]
    for block, choices in enumerate(space.blocks):
        options = [_rarest_of_cell(space, block, cell, in_channels, counts, rng) for cell in choices.cells]
        seen = [_fewest(counts, candidate_steps(space, block, one, in_channels)) for one in options]
        candidates.append(options[_index_of_least(seen, rng)])
        in_channels = candidates[-1].width
    return Architecture(tuple(candidates))


def _rarest_of_cell(
    space: SearchSpace,
    block: int,
    cell: Cell,
    in_channels: int,
    counts: Counter[Step],
    rng: np.random.Generator,
) -> Candidate:
    entered = space.stem[-1].width if block == 0 and space.stem else in_channels
    operations = []
    for layer, choices in enumerate(cell.operations):
        steps = [Step("layer", block, layer, choice, entered, cell.width) for choice in choices]
        operations.append(choices[_index_of_least([counts[step] for step in steps], rng)])
        entered = cell.width
    return Candidate(cell.width, tuple(operations))


def _fewest(counts: Counter[Step], steps: Iterable[Step]) -> int:
    return min(counts[step] for step in steps)


def _index_of_least(values: list[int], rng: np.random.Generator) -> int:
    """Where one of the smallest values stands."""
    least = [index for index, value in enumerate(values) if value == min(values)]
    return least[rng.integers(len(least))]
