import math

import numpy as np
import pytest
import scipy
import torch
from torch import nn

from nasray.trainables.sd_darts.supernets.supernet import Supernet, initial_alpha, mean_entropy


class Line(Supernet):
    """A supernet of one choice among three multiples of a linear layer, and one that is not used."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)
        self.norm = nn.BatchNorm1d(2)
        self.arch_parameters = nn.ParameterDict({"factor": initial_alpha(3), "rows": initial_alpha(2, 5)})

    def forward(self, images, weights=None):
        factor = (self.weights() if weights is None else weights)["factor"]
        return self.norm(self.layer(images)) * (factor * torch.arange(3)).sum()

    def discretize(self):
        return str(int(self.arch_parameters["factor"].argmax()))

    def one_hot(self, architecture):
        return {"factor": torch.eye(3)[int(architecture)], "rows": torch.zeros(2, 5)}

    def num_skips(self, architecture):
        return 0


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Line()


def test_weights_are_the_softmax_of_each_row(net):
    for alpha in net.arch_parameters.values():
        nn.init.normal_(alpha, std=3)
    weights = net.weights()
    assert weights.keys() == {"factor", "rows"}
    for name, weight in weights.items():
        expected = scipy.special.softmax(net.arch_parameters[name].detach().numpy(), axis=-1)
        np.testing.assert_allclose(weight.detach(), expected, rtol=1e-6)


def test_parameters_are_either_alphas_or_the_networks(net):
    alphas, others = set(net.alphas()), set(net.network_parameters())
    assert alphas == set(net.arch_parameters.values())
    assert others == {net.layer.weight, net.layer.bias, net.norm.weight, net.norm.bias}
    assert alphas | others == set(net.parameters())


def test_at_the_start_no_choice_is_preferred():
    torch.manual_seed(0)
    alpha = initial_alpha(100, 50)
    assert alpha.requires_grad
    alpha = alpha.detach()
    assert float(alpha.std()) == pytest.approx(1e-3, rel=0.05)
    assert float(alpha.mean()) == pytest.approx(0, abs=1e-4)


def test_entropy_is_that_of_the_rows():
    rng = np.random.default_rng(0)
    weights = {"a": rng.dirichlet(np.ones(3)), "b": rng.dirichlet(np.ones(5), size=4)}
    expected = np.mean([scipy.stats.entropy(row) for row in [weights["a"], *weights["b"]]])
    found = mean_entropy({name: torch.from_numpy(value) for name, value in weights.items()})
    assert float(found) == pytest.approx(expected)


def test_entropy_ends_at_zero_and_at_the_logarithm_of_the_choices():
    assert float(mean_entropy({"a": torch.eye(4)})) == 0
    assert float(mean_entropy({"a": torch.full((2, 5), 0.2)})) == pytest.approx(math.log(5))
