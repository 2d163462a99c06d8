"""Ratings of a block's output against the teacher's.

Source: DNA (arXiv 1911.13053): relative L1. The noise-to-signal ratio is DONNA's (Moons et al., ICCV 2021, arXiv
2012.08859). Deviation: the scales (standard deviation, channel variances) are taken over all held-out images instead of
over each batch, so that batches weigh alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from nasray.trainables.core.losses import EPSILON, all_but_channels

Metric = Literal["relative_l1", "mse", "noise_to_signal"]


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

    def rate(self, output: Tensor, target: Tensor, metric: Metric) -> float:
        """The rating of one batch of outputs; lower is better.

        relative_l1: mean |Y - Y'| / std(Y), DNA's rating; mse: mean (Y - Y')²; noise_to_signal: the mean over
        channels of the channel's mean (Y - Y')² / variance of the channel.
        """
        error = output.double() - target.double()
        if metric == "relative_l1":
            return float(error.abs().mean()) / max(self.std, EPSILON)
        if metric == "mse":
            return float(error.square().mean())
        by_channel = error.square().mean(all_but_channels(error), keepdim=True)
        return float((by_channel / self.channel_variance.double().clamp_min(EPSILON)).mean())
