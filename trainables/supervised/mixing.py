"""Batches whose images and labels are mixed with each other's."""

from collections.abc import Callable

from torch import Tensor
from torchvision.transforms import v2

from nasray.trainables.settings.training import TrainConfig

Mix = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def mixing(config: TrainConfig, num_classes: int) -> Mix | None:
    """Makes mixed images and probabilities [B, num_classes] of images [B, C, H, W] and labels [B]; None: mixes nothing.

    It draws from torch's global generator, that of the CPU.
    """
    mixers: list[v2.Transform] = []
    if config.mixup:
        mixers.append(v2.MixUp(alpha=config.mixup, num_classes=num_classes))
    if config.cutmix:
        mixers.append(v2.CutMix(alpha=config.cutmix, num_classes=num_classes))
    return v2.RandomChoice(mixers) if mixers else None
