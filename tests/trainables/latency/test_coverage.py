from collections import Counter

import numpy as np
import pytest

from nasray.search_spaces.chain.block import BlockSpace, Cell
from nasray.search_spaces.chain.mbconv import digits, dna
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.operations.shipped import OPERATIONS
from nasray.trainables.latency.coverage import covering_networks, varied_networks
from nasray.trainables.latency.steps import all_steps, architecture_steps


@pytest.mark.parametrize("space", [digits((1, 8, 8), 10), dna((3, 224, 224), 1000)], ids=lambda s: s.name)
def test_every_step_stands_often_in_few_networks(space):
    networks = covering_networks(space, 5, np.random.default_rng(0))
    counts = Counter(step for network in networks for step in architecture_steps(space, network))
    assert counts.keys() == all_steps(space)
    assert min(counts.values()) >= 5
    # As many as the first layer behind the most entry widths and cells has alternatives, and not many more.
    fewest = max(
        len(space.entry_widths(k)) * sum(len(cell.operations[0]) for cell in block.cells)
        for k, block in enumerate(space.blocks)
    )
    assert len(networks) <= 2 * 5 * fewest
    for network in networks:
        space.check(network)


def test_the_same_seed_gives_the_same_networks():
    space = digits((1, 8, 8), 10)
    for draw in (covering_networks, varied_networks):
        first, second = (draw(space, 10, np.random.default_rng(3)) for _ in range(2))
        assert first == second


def test_varied_networks_differ_and_have_all_cells():
    space = digits((1, 8, 8), 10)
    networks = varied_networks(space, 40, np.random.default_rng(0))
    assert len(set(map(str, networks))) == 40
    assert Counter(network.candidates[1].cell for network in networks)["2x24"] >= 10


def test_a_small_space_gives_what_it_has():
    cell = Cell(1, 8, (("conv1", "conv3"),))
    space = SearchSpace("two", (1, 8, 8), 10, (), None, 0.0, (BlockSpace(1, (cell,)),), OPERATIONS)
    assert len(varied_networks(space, 40, np.random.default_rng(0))) == 2
