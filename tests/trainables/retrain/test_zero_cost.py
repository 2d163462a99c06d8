"""Zero-cost proxies against what their definitions give by hand, and on networks of the shipped spaces."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from nasray.search_spaces.build import build_space
from nasray.search_spaces.settings import SpaceConfig
from nasray.trainables.retrain.zero_cost import naswot, synflow, zero_cost_proxies


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def chain(depth, width, activation=nn.ReLU):
    layers = [nn.Flatten(), nn.Linear(12, width), nn.BatchNorm1d(width), activation()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), nn.BatchNorm1d(width), activation()]
    return nn.Sequential(*layers, nn.Linear(width, 5))


@pytest.mark.parametrize("activation", [nn.ReLU, nn.SiLU, nn.GELU])
def test_naswot_counts_units_that_two_images_switch_alike(activation):
    network, images = chain(2, 40, activation), torch.randn(6, 3, 2, 2)
    signs, x = [], images
    for layer in network.train():
        if isinstance(layer, activation):
            signs.append(x > 0)
        x = layer(x)
    codes = torch.cat(signs, dim=1).numpy()
    alike = np.array([[np.sum(a == b) for a in codes] for b in codes], float)
    assert naswot(network, images) == pytest.approx(np.linalg.slogdet(alike)[1])


def test_synflow_is_the_flow_through_absolute_weights_without_normalisation():
    network = chain(2, 7)
    matrices = [layer.weight.detach().double().abs() for layer in network if isinstance(layer, nn.Linear)]
    biases = [layer.bias.detach().double().abs() for layer in network if isinstance(layer, nn.Linear)]
    x, inputs = torch.ones(12).double(), []
    for matrix, bias in zip(matrices, biases, strict=True):
        inputs.append(x)
        x = matrix @ x + bias
    flow, back = 0.0, torch.ones(5).double()
    for matrix, given in zip(reversed(matrices), reversed(inputs), strict=True):
        flow += float((matrix * torch.outer(back, given)).sum())
        back = matrix.T @ back
    assert synflow(network, torch.Size((3, 2, 2))) == pytest.approx(math.log(flow))


def test_the_network_stays_as_it_is():
    network, images = chain(2, 7), torch.randn(6, 3, 2, 2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    first = zero_cost_proxies(network, images)
    assert first == zero_cost_proxies(network, images)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(
        parameter.grad is None and parameter.dtype == torch.float32 for parameter in network.parameters()
    )
    assert network.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_what_has_no_value_has_none():
    images = torch.randn(6, 3, 2, 2)
    assert naswot(nn.Sequential(nn.Flatten(), nn.Linear(12, 5)), images) is None
    assert naswot(chain(1, 40), images[:1].expand(6, -1, -1, -1)) is None
    blocked = chain(1, 4)
    nn.init.zeros_(blocked[-1].weight)
    nn.init.zeros_(blocked[1].weight)
    nn.init.zeros_(blocked[1].bias)
    assert synflow(blocked, torch.Size((3, 2, 2))) is None


def test_deeper_and_wider_networks_promise_more():
    images = torch.randn(16, 3, 2, 2)
    small, deep, wide = (zero_cost_proxies(chain(*size), images) for size in ((1, 40), (4, 40), (1, 160)))
    for one, name in itertools.product((deep, wide), ("naswot", "synflow")):
        assert one[name] > small[name]


@pytest.mark.parametrize(
    ("space", "architecture"),
    [
        ({"source": "darts_s4", "channels": 4, "num_cells": 3}, None),
        (
            {"source": "nasbench201", "channels": 4, "num_cells": 1},
            "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|",
        ),
        ({"source": "vit_digits"}, None),
        ({"source": "small_images"}, None),
    ],
    ids=["noise", "cells", "attention", "mobile"],
)
def test_networks_of_the_shipped_spaces_have_both(space, architecture):
    built = build_space(SpaceConfig.model_validate(space), (3, 32, 32), 10)
    name = architecture or built.sample(np.random.default_rng(0))
    proxies = zero_cost_proxies(built.build(str(name)), torch.randn(8, 3, 32, 32))
    assert all(value is not None for value in proxies.values()), proxies
