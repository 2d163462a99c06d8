"""Transforms of a stored image on its way to a model: fitted to the input size, augmented, normalised."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.transforms import v2
from torchvision.transforms.v2.functional import to_dtype

from nasray.errors import UserError
from nasray.trainables.settings.data import AugmentConfig

Transform = Callable[[Any], Tensor]


def fitting(image_size: int | None, crop_fraction: float) -> Transform:
    """Makes pixels [C, H, W] of a stored image, resized and centre-cropped if `image_size` is given."""
    if image_size is None:
        return v2.ToImage()
    resize = v2.Resize(round(image_size / crop_fraction), antialias=True)
    return v2.Compose([v2.ToImage(), resize, v2.CenterCrop(image_size)])


def normalisation(mean: Sequence[float], std: Sequence[float]) -> Transform:
    """Makes float32 images [..., C, H, W] of mean 0 and standard deviation 1 per channel from pixels."""
    return v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)])


def augmentation(
    config: AugmentConfig, size: tuple[int, int], fit: Transform, normalise: Transform
) -> Transform:
    """Makes a changed, normalised image [C, H, W] of a stored one, at random by torch's global generator."""
    steps: list[Transform] = [fit]
    if config.random_resized_crop:
        steps = [v2.ToImage(), v2.RandomResizedCrop(size, antialias=True)]
    if config.crop_padding:
        steps.append(v2.RandomCrop(size, padding=config.crop_padding))
    if config.horizontal_flip:
        steps.append(v2.RandomHorizontalFlip())
    if config.rand_augment is not None:
        drawn = config.rand_augment
        steps += [_EightBits(), v2.RandAugment(drawn.num_ops, drawn.magnitude)]
    if config.color_jitter:
        change = config.color_jitter
        steps.append(v2.ColorJitter(brightness=change, contrast=change, saturation=change))
    # Erased after normalisation, where 0 is the mean.
    return v2.Compose([*steps, normalise, v2.RandomErasing(config.random_erasing)])


class _EightBits(nn.Module):
    """Brings pixels [1 or 3, H, W] of any type to uint8, which RandAugment is made for."""

    def forward(self, pixels: Tensor) -> Tensor:
        if pixels.shape[0] not in (1, 3):
            raise UserError(
                f"data.augment.rand_augment needs images of 1 or 3 channels, got {pixels.shape[0]}: leave it out"
            )
        return to_dtype(pixels, torch.uint8, scale=True)
