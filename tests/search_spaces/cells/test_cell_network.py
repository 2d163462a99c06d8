import torch
from torch import nn

from nasray.search_spaces.cells.cell_network import DiscreteCell, edge_stride
from nasray.search_spaces.cells.cell_type import CellType
from nasray.search_spaces.cells.genotype import CellGenotype

OPERATIONS = ("none", "skip_connect", "avg_pool_3x3")
LAST = CellType("cell", 1, 1, (OPERATIONS,) * 3, None, "last")
CONCAT = CellType("reduction", 2, 2, (OPERATIONS,) * 5, 2, "concat")


def test_a_node_is_the_sum_of_its_edges():
    x = torch.randn(2, 3, 8, 8)
    pooled = nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    cell = DiscreteCell(LAST, CellGenotype.parse("|avg_pool_3x3~0|+|skip_connect~0|skip_connect~1|"), 3)
    torch.testing.assert_close(cell(x), x + pooled)
    nothing = DiscreteCell(LAST, CellGenotype.parse("|skip_connect~0|+|none~0|none~1|"), 3)
    assert torch.equal(nothing(x), torch.zeros_like(x))


def test_nodes_stand_one_behind_the_other_and_only_edges_from_inputs_shrink():
    first, second = torch.randn(2, 3, 9, 9), torch.randn(2, 3, 9, 9)
    genotype = CellGenotype.parse("|avg_pool_3x3~0|avg_pool_3x3~1|+|avg_pool_3x3~1|skip_connect~2|")
    output = DiscreteCell(CONCAT, genotype, 3)(first, second)
    pooled = [nn.functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False) for x in (first, second)]
    torch.testing.assert_close(output, torch.cat([sum(pooled), sum(pooled) + pooled[1]], dim=1))
    assert [edge_stride(CONCAT, source) for source in range(3)] == [2, 2, 1]
