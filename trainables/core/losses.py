"""Distillation losses: between feature maps, and between answers.

Source: the mean squared error between features is DNA's (Li et al., arXiv 1911.13053), the loss between answers that of
Hinton et al. (arXiv 1503.02531). The normalised error is our own reading.
"""

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

Loss = Literal["mse", "normalized_mse"]
EPSILON = 1e-6


def feature_loss(output: Tensor, target: Tensor, loss: Loss) -> Tensor:
    """The scalar training loss between feature maps [B, C, H, W] or tokens [B, N, C]."""
    if loss == "mse":
        return F.mse_loss(output, target)
    variance = target.var(dim=all_but_channels(target), keepdim=True)
    return ((output - target).square() / (variance + EPSILON)).mean()


def logit_loss(target: Tensor, logits: Tensor, temperature: float) -> Tensor:
    """temperature^2 KL(target || softmax(logits / temperature)), a scalar: the mean over the batch.

    The target [B, C] is a distribution at that temperature and gets no gradient; entries of 0 contribute exactly 0. The
    factor keeps the gradient with respect to the logits [B, C] as large as the cross-entropy's at any temperature.
    """
    log_probabilities = F.log_softmax(logits / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_probabilities, target.detach(), reduction="batchmean")


def all_but_channels(tensor: Tensor) -> tuple[int, ...]:
    """Every dimension but the channels': 1 in feature maps [B, C, H, W], the last in tokens [B, N, C]."""
    return (0, 2, 3) if tensor.dim() == 4 else (0, 1)
