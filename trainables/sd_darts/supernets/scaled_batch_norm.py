"""A batch norm whose scale is given anew with every input."""

import torch.nn.functional as F
from torch import Tensor, nn


class ScaledBatchNorm(nn.BatchNorm2d):
    """What batch norm without weight and bias gives, times a scale per channel, in the time of the norm alone.

    Statistics, their momentum and the modes of training and evaluation are those of `nn.BatchNorm2d`.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features, affine=False)

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:  # type: ignore[override]
        """Maps [B, C, H, W], normalised per channel and multiplied by `scale` [C]."""
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                momentum = 1.0 / float(self.num_batches_tracked)
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            # torch's channels-last kernel reads the weight in its backward pass as if it were contiguous, whatever its
            # strides: an expanded one would be read beyond its end.
            weight=scale.contiguous(),
            training=self.training or self.running_mean is None,
            momentum=momentum,
            eps=self.eps,
        )
