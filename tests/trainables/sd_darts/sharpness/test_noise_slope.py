import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nasray.trainables.sd_darts.sharpness.noise_slope import weight_noise_slope


@pytest.fixture
def network():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.3), nn.Flatten(), nn.Linear(64, 3)
    )
    images, labels = torch.randn(20, 1, 6, 6), torch.randint(3, (20,))
    return net, lambda: F.cross_entropy(net(images), labels)


def test_a_parabola_has_the_slope_of_its_expectation():
    weights = torch.full((200_000,), 3.0)
    # E (w + sigma 3 d)^2 = 9 + 9 sigma^2, whose slopes between 0, .1 and .3 are .9 and 3.6.
    slope = weight_noise_slope(lambda: weights.square().mean(), [weights], seed=0, sigmas=(0.1, 0.3))
    assert slope == pytest.approx((0.9 + 3.6) / 2, rel=0.02)


def test_all_sigmas_share_one_direction():
    weights = torch.tensor([1.0, -1.0, 1.0])
    losses = []

    def loss():
        losses.append(weights[0].item() - 1)
        return weights[0]

    slope = weight_noise_slope(loss, [weights], seed=0, sigmas=(0.01, 0.04), num_draws=1)
    assert len(losses) == 3
    assert losses[0] == 0
    assert losses[2] == pytest.approx(4 * losses[1], rel=1e-4)
    assert slope == pytest.approx(abs(losses[1]) / 0.01)


def test_a_flatter_minimum_has_a_smaller_slope():
    weights = torch.randn(50, generator=torch.Generator().manual_seed(0))
    flat, sharp = (
        weight_noise_slope(lambda f=f: f * weights.square().mean(), [weights], seed=0) for f in (1.0, 7.0)
    )
    assert sharp == pytest.approx(7 * flat, rel=1e-4)


def test_noise_is_relative_to_each_tensor():
    small, large, zero = torch.full((1000,), 0.01), torch.full((1000,), 10.0), torch.zeros(5)
    seen = []

    def loss():
        seen.append((small.std().item(), large.std().item(), zero.std().item()))
        return small.sum()

    weight_noise_slope(loss, [small, large, zero], seed=0, sigmas=(0.1,), num_draws=1)
    assert seen[0] == (0, 0, 0)
    assert seen[1] == pytest.approx((0.001, 1.0, 0.0), rel=0.1)


def test_nothing_is_changed_and_the_seed_decides(network):
    net, loss = network
    state = {name: value.clone() for name, value in net.state_dict().items()}
    generators = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002 - the one that must not move
    first, second, other = (
        weight_noise_slope(loss, net.parameters(), seed=seed, buffers=net.buffers()) for seed in (1, 1, 2)
    )
    assert first == second != other
    for name, value in net.state_dict().items():
        assert torch.equal(value, state[name]), name
    assert torch.equal(torch.get_rng_state(), generators[0])
    assert np.array_equal(np.random.get_state()[1], generators[1])  # noqa: NPY002
    assert all(parameter.grad is None for parameter in net.parameters())


def test_weights_are_as_before_after_an_exception():
    weights = torch.ones(3)

    def loss():
        if weights[0] != 1:
            raise FloatingPointError("diverged")
        return weights.sum()

    with pytest.raises(FloatingPointError):
        weight_noise_slope(loss, [weights], seed=0)
    assert torch.equal(weights, torch.ones(3))


@pytest.mark.parametrize("sigmas", [(), (0.0, 0.1), (0.2, 0.1), (0.1, 0.1), (-0.1,)])
def test_sigmas_must_grow_from_above_zero(sigmas):
    with pytest.raises(ValueError, match="greater than 0 and growing"):
        weight_noise_slope(lambda: torch.ones(()), [torch.ones(2)], seed=0, sigmas=sigmas)


def test_there_must_be_a_draw():
    with pytest.raises(ValueError, match="num_draws must be at least 1, got 0"):
        weight_noise_slope(lambda: torch.ones(()), [torch.ones(2)], seed=0, num_draws=0)
