import pytest
import torch
from torch import nn
from torchvision.models import efficientnet_b0

from nasray.search_spaces.operations.shipped import OPERATIONS, Residual, zero_init_residual


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("in_channels", "out_channels"), [(8, 8), (3, 8), (8, 5)])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_takes_every_change_of_shape(name, in_channels, out_channels, stride):
    module = OPERATIONS[name](in_channels, out_channels, stride)
    maps = module(torch.randn(2, in_channels, 9, 6))
    assert maps.shape == (2, out_channels, -(-9 // stride), -(-6 // stride))
    assert maps.isfinite().all()


def test_an_mbconv_is_that_of_efficientnet():
    stage = efficientnet_b0().features[3]
    for ours, theirs in zip(
        (OPERATIONS["mb6k5se"](24, 40, 2), OPERATIONS["mb6k5se"](40, 40, 1)), stage, strict=True
    ):
        ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
        maps = torch.randn(2, ours.branch[0][0].in_channels, 14, 14)
        torch.testing.assert_close(ours.eval()(maps), theirs.eval()(maps))


def test_the_skip_is_the_identity_where_it_can_be():
    maps = torch.randn(2, 4, 5, 5)
    assert torch.equal(OPERATIONS["skip"](4, 4, 1)(maps), maps)


@pytest.mark.parametrize("name", ["mb1k3", "mb3k5se", "mb6k7", "sep3"])
def test_zero_initialised_branches_leave_the_shortcut(name):
    network = nn.Sequential(OPERATIONS[name](4, 4, 1), OPERATIONS[name](4, 4, 1))
    maps = torch.randn(2, 4, 5, 5)
    assert not torch.allclose(network(maps), maps)
    zero_init_residual(network)
    assert torch.equal(network(maps), maps)


def test_what_has_no_shortcut_keeps_its_weights():
    network = nn.Sequential(OPERATIONS["mb3k3"](4, 4, 2), OPERATIONS["conv3"](4, 4, 1))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    zero_init_residual(network)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_a_residual_norm_without_a_weight_is_an_error():
    layer = Residual(nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4, affine=False)), 4, 4, 1)
    with pytest.raises(ValueError, match="residual_norm of 0 must have a weight"):
        zero_init_residual(nn.Sequential(layer))


def test_a_layer_never_changes_its_input():
    for name, operation in OPERATIONS.items():
        maps = torch.randn(2, 4, 5, 5)
        before = maps.clone()
        operation(4, 4, 1)(maps)
        assert torch.equal(maps, before), name
