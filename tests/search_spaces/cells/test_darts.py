import numpy as np
import pytest
import torch

from nasray.search_spaces.cells.darts import darts_s0, darts_s1, darts_s2, darts_s3, darts_s4

DARTS_V2 = (
    "normal:|sep_conv_3x3~0|sep_conv_3x3~1|+|sep_conv_3x3~0|sep_conv_3x3~1|+|skip_connect~0|sep_conv_3x3~1|"
    "+|skip_connect~0|dil_conv_3x3~2|"
    "/reduction:|max_pool_3x3~0|max_pool_3x3~1|+|max_pool_3x3~1|skip_connect~2|+|max_pool_3x3~0|skip_connect~2|"
    "+|max_pool_3x3~1|skip_connect~2|"
)
SPACES = [darts_s0, darts_s1, darts_s2, darts_s3, darts_s4]


def test_the_published_architecture_has_its_published_size():
    space = darts_s0((3, 32, 32), 10, channels=36, num_cells=20)
    assert (
        space.cost(space.parse(DARTS_V2)).num_params == 3_349_342
    )  # "3.3M", as the released code counts them


def test_the_number_of_genotypes():
    pairs = 1 * 3 * 6 * 10  # of the edges of the four nodes
    counts = [space((3, 32, 32), 10).num_architectures for space in SPACES]
    assert counts == [(pairs * 7**8) ** 2] + [(pairs * 2**8) ** 2] * 4


def test_s1_has_the_published_choices():
    normal, reduction = darts_s1((3, 32, 32), 10).cell_types
    assert all(len(edge.operations) == 2 for edge in normal.edges + reduction.edges)
    operations = {edge.operations for edge in normal.edges}
    assert operations == {
        ("skip_connect", "dil_conv_3x3"),
        ("skip_connect", "dil_conv_5x5"),
        ("skip_connect", "sep_conv_3x3"),
        ("max_pool_3x3", "skip_connect"),
        ("dil_conv_3x3", "dil_conv_5x5"),
    }
    assert sum(edge.operations == ("max_pool_3x3", "avg_pool_3x3") for edge in reduction.edges) == 6
    assert reduction.edges[6].operations == ("max_pool_3x3", "sep_conv_3x3")


@pytest.mark.parametrize(("num_cells", "reductions"), [(3, (1, 2)), (4, (1, 2)), (6, (2, 4)), (8, (2, 5))])
def test_reductions_at_a_third_and_two_thirds_double_the_channels(num_cells, reductions):
    space = darts_s2((3, 9, 13), 5, channels=2, num_cells=num_cells)
    network = space.build(space.sample(np.random.default_rng(0)))
    shapes = []
    for cell in network.cells:
        cell.register_forward_hook(lambda *arguments: shapes.append(tuple(arguments[2].shape[1:])))
    network(torch.randn(2, 3, 9, 13))
    expected, shape = [], (8, 9, 13)
    for position in range(num_cells):
        if position in reductions:
            shape = (2 * shape[0], -(-shape[1] // 2), -(-shape[2] // 2))
        expected.append(shape)
    assert shapes == expected


def test_too_few_cells_are_refused():
    with pytest.raises(ValueError, match=r"num_cells of space darts_s3 must be at least 3, .* got 2"):
        darts_s3((3, 32, 32), 10, num_cells=2)
