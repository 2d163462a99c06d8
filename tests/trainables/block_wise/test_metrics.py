import sys

import numpy as np
import pytest
import torch

from nasray.errors import UserError
from nasray.trainables.block_wise.metrics import (
    TargetScale,
    load_metric,
    mse,
    noise_to_signal,
    relative_l1,
    try_metric,
)
from nasray.trainables.settings.block_distillation import RatingConfig
from nasray.trainables.settings.metrics import METRICS

OWN = """
import torch


def largest_error(output, target, scale):
    return (output - target).abs().max() / scale.std


def per_image(output, target, scale):
    return (output - target).square().flatten(1).mean(1)


def missing(output, target, scale):
    return float("nan")


def text(output, target, scale):
    return "good"


def of_two(output, target):
    return 0.0


def failing(output, target, scale):
    return output[:, 10**6].mean()


number = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of a user's own, own_metrics, with metrics good and bad."""
    (tmp_path / "own_metrics.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_metrics", raising=False)


@pytest.fixture
def maps():
    torch.manual_seed(0)
    scales = torch.tensor([0.5, 1.0, 4.0]).view(1, 3, 1, 1)
    target = torch.randn(12, 3, 4, 4) * scales + 2
    return target + 0.3 * torch.randn_like(target), target


def test_relative_l1_is_the_mean_error_over_the_standard_deviation(maps):
    output, target = maps
    expected = np.abs(output.numpy() - target.numpy()).mean() / target.numpy().std()
    assert relative_l1(output, target, TargetScale.measure([target])) == pytest.approx(expected, rel=1e-5)


def test_mse_is_the_mean_squared_error(maps):
    expected = np.square(maps[0].numpy() - maps[1].numpy()).mean()
    assert mse(*maps, TargetScale.measure([maps[1]])) == pytest.approx(expected, rel=1e-5)


def test_noise_to_signal_weighs_channels_by_their_own_variance(maps):
    output, target = (tensor.numpy() for tensor in maps)
    expected = np.mean([((output - target) ** 2)[:, c].mean() / target[:, c].var() for c in range(3)])
    scale = TargetScale.measure([maps[1]])
    assert noise_to_signal(*maps, scale) == pytest.approx(expected, rel=1e-5)


def test_the_scale_is_that_of_all_batches_together(maps):
    _, target = maps
    whole, parts = TargetScale.measure([target]), TargetScale.measure(torch.split(target, 5))
    assert parts.std == pytest.approx(whole.std)
    torch.testing.assert_close(parts.channel_variance, whole.channel_variance)


@pytest.mark.parametrize("name", METRICS)
def test_ratings_of_equal_batches_average_to_the_whole(maps, name):
    output, target = maps
    scale, metric = TargetScale.measure([target]), load_metric(name)
    halves = [metric(output[i : i + 6], target[i : i + 6], scale) for i in (0, 6)]
    assert np.mean(halves) == pytest.approx(metric(output, target, scale))


@pytest.mark.parametrize("name", METRICS)
def test_metrics_take_tokens(maps, name):
    metric = load_metric(name)
    as_maps = metric(*maps, TargetScale.measure([maps[1]]))
    output, target = (tensor.flatten(2).transpose(1, 2) for tensor in maps)
    assert metric(output, target, TargetScale.measure([target])) == pytest.approx(as_maps)


@pytest.mark.parametrize("name", METRICS)
def test_the_shipped_metrics_give_numbers(name):
    try_metric(name, [(3, 4, 4), (16, 8)])


@pytest.mark.usefixtures("own")
def test_a_metric_of_the_users_own_rates(maps):
    metric = load_metric(RatingConfig(metric="own_metrics:largest_error").metric)
    output, target = maps
    expected = (output - target).abs().max().item() / target.std(correction=0).item()
    assert metric(output, target, TargetScale.measure([target])) == pytest.approx(expected, rel=1e-5)
    try_metric("own_metrics:largest_error", [(3, 4, 4), (16, 8)])


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("per_image", r"own_metrics:per_image gave a tensor of \(4,\), torch.float32"),
        ("missing", r"own_metrics:missing gave nan for noise of \(4, 3, 4, 4\)"),
        ("text", "own_metrics:text gave 'good'"),
        ("of_two", "own_metrics:of_two failed: TypeError: .*takes 2 positional arguments but 3 were given"),
        ("failing", r"own_metrics:failing failed: IndexError: .*own_metrics.py, line [0-9]+\)"),
    ],
)
def test_what_gives_no_number_is_refused_before_anything_is_trained(name, told):
    told = (
        rf"^rating.metric must be a function \(output, target, scale\) that gives one finite .*, but {told}"
    )
    with pytest.raises(UserError, match=told):
        try_metric(f"own_metrics:{name}", [(3, 4, 4)])


@pytest.mark.usefixtures("own")
def test_what_is_no_function_is_refused():
    with pytest.raises(
        UserError, match=r"rating.metric must name a function, but own_metrics:number is of int"
    ):
        load_metric("own_metrics:number")


def test_an_unknown_name_is_refused_with_those_that_are_known():
    told = r"must be one of relative_l1, mse, noise_to_signal, or .* got 'relative_l2'; did you mean 'relative_l1'"
    with pytest.raises(ValueError, match=told):
        RatingConfig(metric="relative_l2")
