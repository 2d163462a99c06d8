import pytest
import torch

from nasray.search_spaces.cells.nasbench201 import ResidualBlock, nasbench201
from nasray.search_spaces.costs.cost import Cost

# Parameters counted in the released implementation; MACs by hand from the published definition of the cell.
COSTS = {
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|": Cost(
        {"num_params": 129_306, "num_macs": 15_647_360}
    ),
    "|skip_connect~0|+|nor_conv_1x1~0|none~1|+|none~0|avg_pool_3x3~1|nor_conv_1x1~2|": Cost(
        {"num_params": 129_306, "num_macs": 15_647_360}
    ),
    "|nor_conv_3x3~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|avg_pool_3x3~0|avg_pool_3x3~1|nor_conv_1x1~2|": Cost(
        {"num_params": 344_346, "num_macs": 47_104_640}
    ),
}


def test_there_are_as_many_architectures_as_published():
    assert nasbench201((3, 32, 32), 10).num_architectures == 15_625


@pytest.mark.parametrize("text", COSTS)
def test_parameters_and_macs_are_the_published_ones(text):
    space = nasbench201((3, 32, 32), 10)
    assert space.cost(space.parse(text)) == COSTS[text]


def test_stages_double_the_channels_and_halve_the_size():
    space = nasbench201((3, 9, 13), 5, channels=4, num_cells=2)
    network = space.build(space.parse("|skip_connect~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"))
    shapes = []
    for cell in network.cells:
        cell.register_forward_hook(lambda *arguments: shapes.append(tuple(arguments[2].shape[1:])))
    network(torch.randn(2, 3, 9, 13))
    assert shapes == [(4, 9, 13)] * 2 + [(8, 5, 7)] * 2 + [(16, 3, 4)] * 2


def test_the_residual_block_adds_its_shortcut():
    block = ResidualBlock(3, 6).eval()
    torch.nn.init.zeros_(block.branch[1][2].weight)
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(block(x), block.shortcut(x))
