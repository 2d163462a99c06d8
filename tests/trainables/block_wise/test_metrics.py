import numpy as np
import pytest
import torch

from nasray.trainables.block_wise.metrics import TargetScale


@pytest.fixture
def maps():
    torch.manual_seed(0)
    scales = torch.tensor([0.5, 1.0, 4.0]).view(1, 3, 1, 1)
    target = torch.randn(12, 3, 4, 4) * scales + 2
    return target + 0.3 * torch.randn_like(target), target


def test_relative_l1_is_the_mean_error_over_the_standard_deviation(maps):
    output, target = maps
    scale = TargetScale.measure([target])
    expected = np.abs(output.numpy() - target.numpy()).mean() / target.numpy().std()
    assert scale.rate(output, target, "relative_l1") == pytest.approx(expected, rel=1e-5)


def test_noise_to_signal_weighs_channels_by_their_own_variance(maps):
    output, target = (tensor.numpy() for tensor in maps)
    expected = np.mean([((output - target) ** 2)[:, c].mean() / target[:, c].var() for c in range(3)])
    scale = TargetScale.measure([maps[1]])
    assert scale.rate(*maps, "noise_to_signal") == pytest.approx(expected, rel=1e-5)


def test_the_scale_is_that_of_all_batches_together(maps):
    _, target = maps
    whole, parts = TargetScale.measure([target]), TargetScale.measure(torch.split(target, 5))
    assert parts.std == pytest.approx(whole.std)
    torch.testing.assert_close(parts.channel_variance, whole.channel_variance)


def test_ratings_of_equal_batches_average_to_the_whole(maps):
    output, target = maps
    scale = TargetScale.measure([target])
    for metric in ("relative_l1", "mse", "noise_to_signal"):
        halves = [scale.rate(output[i : i + 6], target[i : i + 6], metric) for i in (0, 6)]
        assert np.mean(halves) == pytest.approx(scale.rate(output, target, metric))


def test_metrics_take_tokens(maps):
    output, target = (tensor.flatten(2).transpose(1, 2) for tensor in maps)
    as_maps = TargetScale.measure([maps[1]]).rate(*maps, "noise_to_signal")
    assert TargetScale.measure([target]).rate(output, target, "noise_to_signal") == pytest.approx(as_maps)
