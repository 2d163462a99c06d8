import itertools

from torch import nn

from nasray.search_spaces.chain.block import BlockSpace, Cell
from nasray.search_spaces.chain.block_cost import candidate_costs, layer_costs
from nasray.search_spaces.costs.cost import measure
from nasray.search_spaces.operations.shipped import OPERATIONS

CELL = Cell(3, 6, (("skip", "conv3"), ("mb3k3se", "skip", "sep5"), ("conv1", "mb1k5")))
BLOCK = BlockSpace(2, (Cell(1, 4, (("conv1", "sep3"),)), CELL))


def test_each_candidate_costs_what_its_layers_cost_built_in_a_row():
    table = candidate_costs(BLOCK, 99, (5, 7, 8), OPERATIONS)
    assert table["candidate"].tolist() == [str(candidate) for candidate in BLOCK.candidates()]
    assert set(table["in_channels"]) == {99}
    for row, candidate in zip(table.itertuples(), BLOCK.candidates(), strict=True):
        shapes = itertools.chain([(5, 2)], itertools.repeat((candidate.width, 1)))
        layers = [
            OPERATIONS[name](in_channels, candidate.width, stride)
            for name, (in_channels, stride) in zip(candidate.operations, shapes, strict=False)
        ]
        cost = measure(nn.Sequential(*layers), (5, 7, 8))
        assert (row.num_params, row.num_macs) == (cost.num_params, cost.num_macs)


def test_layer_costs_stand_per_layer_and_choice():
    costs = layer_costs(CELL, 2, (5, 7, 8), OPERATIONS)
    assert [len(row) for row in costs] == [2, 3, 2]
    assert costs[0][1] == measure(OPERATIONS["conv3"](5, 6, 2), (5, 7, 8))
    assert costs[1][1].num_params == 0
