import pytest
import torch
from torch import nn

from nasray.search_spaces.cells.cell_operations import (
    FactorizedReduce,
    check_known,
    learning_branch,
    operation,
)
from nasray.search_spaces.costs.cost import output_shape

LEARNING = ["nor_conv_1x1", "nor_conv_3x3", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"]
FREE = ["none", "skip_connect", "avg_pool_3x3", "max_pool_3x3", "noise"]


@pytest.mark.parametrize("size", [(8, 8), (9, 12), (11, 13)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", LEARNING + FREE)
def test_every_operation_takes_any_size(name, stride, size):
    halved = tuple(-(-length // stride) for length in size)
    assert output_shape(operation(name, 4, 4, stride), (4, *size)) == (4, *halved)


@pytest.mark.parametrize(
    ("name", "num_params"),
    [
        ("nor_conv_1x1", 6 * 6),
        ("nor_conv_3x3", 9 * 6 * 6),
        ("sep_conv_3x3", 2 * (9 * 6 + 6 * 6) + 12),
        ("sep_conv_5x5", 2 * (25 * 6 + 6 * 6) + 12),
        ("dil_conv_3x3", 9 * 6 + 6 * 6),
        ("dil_conv_5x5", 25 * 6 + 6 * 6),
    ],
)
def test_operations_that_learn_have_the_published_parameters(name, num_params):
    def count(affine):
        return sum(p.numel() for p in operation(name, 6, 6, 1, affine=affine).parameters())

    num_inner_norm = 12 if name.startswith("sep") else 0
    assert count(affine=True) == num_params + 12
    assert count(affine=False) == num_params - num_inner_norm


def test_only_a_skip_that_shrinks_learns():
    assert all(learning_branch(name, stride) for name in LEARNING for stride in (1, 2))
    assert learning_branch("skip_connect", 2) is not None
    assert learning_branch("skip_connect", 1) is None
    assert all(learning_branch(name, 2) is None for name in FREE if name != "skip_connect")


def test_the_dilated_kernel_reaches_its_published_distance():
    for name, reach in (("dil_conv_3x3", 2), ("dil_conv_5x5", 4)):
        module = operation(name, 1, 1, 1).eval()
        x = torch.zeros(1, 1, 17, 17, requires_grad=True)
        (gradient,) = torch.autograd.grad(module(x.add(1))[0, 0, 8, 8], x)
        rows = gradient[0, 0].abs().sum(1).nonzero().flatten()
        assert (rows.min(), rows.max()) == (8 - reach, 8 + reach)


def test_the_reduction_sees_even_and_odd_places():
    module = FactorizedReduce(1, 2)
    nn.init.ones_(module.even.weight)
    nn.init.ones_(module.odd.weight)
    x = torch.arange(25.0).reshape(1, 1, 5, 5)
    even, odd = module(x)[0]
    assert even.tolist() == x[0, 0, ::2, ::2].tolist()
    assert odd.tolist() == [[6, 8, 0], [16, 18, 0], [0, 0, 0]]
    assert module(x[:, :, :4, :4])[0, 1].tolist() == [[6, 8], [16, 18]]


def test_noise_is_standard_normal_and_blind():
    torch.manual_seed(0)
    x = torch.full((4, 8, 32, 32), 100.0, requires_grad=True)
    noise = operation("noise", 8, 8, 2)(x)
    assert noise.shape == (4, 8, 16, 16)
    assert not noise.requires_grad
    assert abs(noise.mean()) < 0.05
    assert abs(noise.std() - 1) < 0.05
    torch.manual_seed(1)
    first = operation("noise", 8, 8, 1)(x)
    torch.manual_seed(1)
    assert torch.equal(first, operation("noise", 8, 8, 1)(x))


def test_unknown_operations_are_refused():
    check_known("noise")
    with pytest.raises(
        ValueError, match=r"must be one of none, .* got 'sep_conv_3x'; did you mean 'sep_conv_3x3'"
    ):
        check_known("sep_conv_3x")
