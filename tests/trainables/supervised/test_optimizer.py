from itertools import pairwise

import pytest
import torch
from torch import nn

from nasray.trainables.settings.training import TrainConfig
from nasray.trainables.supervised.optimizer import build_optimizer, learning_rate


def test_the_rate_warms_up_and_falls_to_zero():
    config = TrainConfig(lr=1.0, warmup_epochs=1.0, epochs=5)
    rates = [learning_rate(config, step, steps_per_epoch=4) for step in range(20)]
    assert rates[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert rates[4] == 1.0
    assert all(later < earlier for earlier, later in pairwise(rates[4:]))
    assert rates[12] == pytest.approx(0.5)
    assert rates[-1] < 0.02


def test_the_rate_falls_in_steps():
    config = TrainConfig(lr=1.0, warmup_epochs=1, epochs=5, schedule="step", step_epochs=1.5, step_factor=0.5)
    rates = [learning_rate(config, step, steps_per_epoch=2) for step in range(10)]
    assert rates == pytest.approx([0.5, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125])


def test_rmsprop_is_that_of_efficientnet():
    """mean square s = .9 s + .1 g², momentum b = .9 b + g / (√s + .001), weight w = w - lr b."""
    weight = nn.Parameter(torch.tensor([2.0]))
    optimizer = build_optimizer([weight], TrainConfig(optimizer="rmsprop", lr=0.1, weight_decay=0.0))
    expected, square, velocity = 2.0, 0.0, 0.0
    for _ in range(3):
        optimizer.zero_grad()
        (weight**2).sum().backward()
        optimizer.step()
        gradient = 2 * expected
        square = 0.9 * square + 0.1 * gradient**2
        velocity = 0.9 * velocity + gradient / (square**0.5 + 1e-3)
        expected -= 0.1 * velocity
        assert weight.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["sgd", "adamw", "rmsprop"])
def test_each_optimizer_decays_weights(name):
    weight = nn.Parameter(torch.ones(3))
    optimizer = build_optimizer([weight], TrainConfig(optimizer=name, weight_decay=0.1))
    weight.grad = torch.zeros(3)
    optimizer.step()
    assert torch.all(weight < 1)
