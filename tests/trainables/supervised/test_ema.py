import pytest
import torch
from torch import nn

from nasray.trainables.supervised.ema import moving_average


def test_the_average_is_that_of_the_formula():
    """a = d a + (1 - d) w with d = min(decay, (1 + n) / (10 + n)); the first update copies."""
    model = nn.Linear(1, 1, bias=False)
    average = moving_average(model, decay=0.25)
    expected = 0.0
    for update in range(6):
        with torch.no_grad():
            model.weight.fill_(update**2 + 1.0)
        average.update_parameters(model)
        decay = min(0.25, (1 + update) / (10 + update)) if update else 0.0
        expected = decay * expected + (1 - decay) * (update**2 + 1.0)
        assert average.module.weight.item() == pytest.approx(expected)


def test_statistics_are_averaged_and_batches_counted():
    torch.manual_seed(0)
    model = nn.BatchNorm1d(2).train()
    average = moving_average(model, decay=0.99)
    means = []
    for _ in range(3):
        model(torch.randn(8, 2) + 3)
        average.update_parameters(model)
        means.append(model.running_mean.clone())
    assert int(average.module.num_batches_tracked) == int(model.num_batches_tracked) == 3
    second = means[0] * 2 / 11 + means[1] * 9 / 11
    torch.testing.assert_close(average.module.running_mean, second * 3 / 12 + means[2] * 9 / 12)


def test_the_average_goes_on_from_its_state():
    def moved(model, average, *values):
        for value in values:
            with torch.no_grad():
                model.weight.fill_(value)
            average.update_parameters(model)
        return average.module.weight.item()

    model = nn.Linear(1, 1, bias=False)
    whole = moved(model, moving_average(model, 0.9), 1.0, 5.0, -2.0, 4.0)
    first, second = moving_average(model, 0.9), moving_average(model, 0.9)
    moved(model, first, 1.0, 5.0)
    second.load_state_dict(first.state_dict())
    assert moved(model, second, -2.0, 4.0) == whole
