"""Ratings of a block's output against the teacher's.

Source: DNA (arXiv 1911.13053): relative L1. The noise-to-signal ratio is DONNA's (Moons et al., ICCV 2021, arXiv
2012.08859). Deviation: the scales (standard deviation, channel variances) are taken over all held-out images instead of
over each batch, so that batches weigh alike.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from nasray.errors import UserError
from nasray.search_spaces.names.attribute import load_attribute, place_of
from nasray.trainables.core.losses import EPSILON, all_but_channels
from nasray.trainables.settings.metrics import METRICS

_TRIED_IMAGES = 4


@dataclass(frozen=True, slots=True)
class TargetScale:
    """The spread of the teacher's output over all held-out images.

    Attributes:
        std: Standard deviation of all values.
        channel_variance: Variance of each channel, shaped to broadcast against the feature maps.
    """

    std: float
    channel_variance: Tensor

    @classmethod
    def measure(cls, targets: Iterable[Tensor]) -> "TargetScale":
        """The scale of all values of the batches together, accumulated in double precision."""
        count, total, squares = 0, torch.zeros(()), torch.zeros(())
        for batch in targets:
            values = batch.double()
            dims = all_but_channels(values)
            total = total.to(values) + values.sum(dims, keepdim=True)
            squares = squares.to(values) + values.square().sum(dims, keepdim=True)
            count += values.numel() // total.numel()
        mean = total / count
        variance = (squares / count - mean.square()).clamp_min(0)
        overall = (squares / count).mean() - mean.mean().square()
        return cls(float(overall.clamp_min(0).sqrt()), variance.float())


Metric = Callable[[Tensor, Tensor, TargetScale], float]
"""The rating of one batch of outputs against the teacher's, of one shape [B, C, H, W] or [B, N, C]; lower is better."""


def relative_l1(output: Tensor, target: Tensor, scale: TargetScale) -> float:
    """DNA's rating: mean |Y - Y'| / std(Y)."""
    return float((output.double() - target.double()).abs().mean()) / max(scale.std, EPSILON)


def mse(output: Tensor, target: Tensor, scale: TargetScale) -> float:
    """The mean of (Y - Y')²."""
    return float((output.double() - target.double()).square().mean())


def noise_to_signal(output: Tensor, target: Tensor, scale: TargetScale) -> float:
    """The mean over channels of the channel's mean (Y - Y')² / variance of the channel."""
    error = output.double() - target.double()
    by_channel = error.square().mean(all_but_channels(error), keepdim=True)
    return float((by_channel / scale.channel_variance.double().clamp_min(EPSILON)).mean())


def load_metric(name: str) -> Metric:
    """The metric of a name, or the user's own function that "module:function" names, held to giving numbers.

    Raises:
        UserError: The module cannot be imported, or has no such function.
    """
    path = METRICS.get(name, name)
    function = load_attribute(path)
    if not callable(function):
        raise UserError(f"rating.metric must name a function, but {path} is of {type(function).__name__}")

    def rate(output: Tensor, target: Tensor, scale: TargetScale) -> float:
        try:
            value = function(output, target, scale)
        except Exception as error:
            given = f"failed: {type(error).__name__}: {error} ({place_of(error)})"
            raise _no_number(path, given) from error
        return _number(value, path)

    return rate


def try_metric(name: str, shapes: Iterable[tuple[int, ...]]) -> None:
    """Tries a metric on noise, before anything is trained.

    Args:
        name: The metric.
        shapes: Of the teacher's features, given without the batch.

    Raises:
        UserError: It cannot be loaded, or does not give one finite number per batch.
    """
    rate = load_metric(name)
    noise = torch.Generator().manual_seed(0)
    for shape in shapes:
        output, target = torch.randn(2, _TRIED_IMAGES, *shape, generator=noise)
        value = rate(output, target, TargetScale.measure([target]))
        if not math.isfinite(value):
            raise _no_number(METRICS.get(name, name), f"gave {value} for noise of {tuple(target.shape)}")


def _number(value: Any, path: str) -> float:
    """What a metric gave, as a number."""
    if isinstance(value, Tensor):
        if value.dim() > 0 or value.is_complex() or value.dtype == torch.bool:
            raise _no_number(path, f"gave a tensor of {tuple(value.shape)}, {value.dtype}")
        return float(value)
    if not isinstance(value, Real) or isinstance(value, bool):
        raise _no_number(path, f"gave {value!r}")
    return float(value)


def _no_number(path: str, given: str) -> UserError:
    return UserError(
        "rating.metric must be a function (output, target, scale) that gives one finite number per batch, "
        f"but {path} {given}"
    )
