"""Votes: one target distribution out of the logits of several teachers.

Source: SD-DARTS (Zhu et al., arXiv 2302.05629), which says that the teachers' output probabilities are aggregated by
voting; the three ways to count are our reading.
"""

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Vote = Literal["mean_prob", "majority", "mean_logit"]
# Halvings of [0, 1]; more than single precision can tell apart.
_NUM_BISECTIONS = 30


def vote(logits: Tensor, temperature: float, kind: Vote) -> Tensor:
    """Probabilities [B, C] that the logits [K, B, C] of K teachers agree on.

    mean_prob: the mean of their probabilities at the temperature; mean_logit: the probabilities of their mean logits at
    the temperature; majority: the share of the teachers whose first choice is the class, at any temperature.
    """
    match kind:
        case "mean_prob":
            return (logits / temperature).softmax(dim=-1).mean(dim=0)
        case "mean_logit":
            return (logits.mean(dim=0) / temperature).softmax(dim=-1)
        case "majority":
            return F.one_hot(logits.argmax(dim=-1), logits.shape[-1]).to(logits.dtype).mean(dim=0)


def entropy(probabilities: Tensor) -> Tensor:
    """Mean entropy in nats, a scalar, of distributions [B, C]."""
    return torch.special.entr(probabilities).sum(dim=-1).mean()


def smoothed_labels(labels: Tensor, num_classes: int, entropy: Tensor) -> Tensor:
    """Probabilities [B, num_classes] of that entropy: each label [B], smoothed towards the uniform distribution.

    The entropy is a scalar in nats, taken for 0 or log(num_classes) where it is beyond them. It grows with the
    smoothing, which bisection finds without the value leaving the device.
    """
    entropy = entropy.clamp(0, math.log(num_classes))
    low, high = torch.zeros_like(entropy), torch.ones_like(entropy)
    for _ in range(_NUM_BISECTIONS):
        middle = (low + high) / 2
        too_sharp = _entropy_of_smoothing(middle, num_classes) < entropy
        low, high = torch.where(too_sharp, middle, low), torch.where(too_sharp, high, middle)
    one_hot = F.one_hot(labels, num_classes).to(entropy.dtype)
    return torch.lerp(one_hot, torch.full_like(one_hot, 1 / num_classes), low)


def _entropy_of_smoothing(smoothing: Tensor, num_classes: int) -> Tensor:
    """Entropy of a label of which the share `smoothing`, in [0, 1], is spread evenly over all classes."""
    other = smoothing / num_classes
    return torch.special.entr(1 - smoothing + other) + (num_classes - 1) * torch.special.entr(other)
