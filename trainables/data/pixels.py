"""A data set's images at the input size, read as they are needed and kept where they are small."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2.functional import to_dtype

from nasray.errors import UserError
from nasray.trainables.data.items import TRAINING, described, read_image
from nasray.trainables.data.transforms import Transform

MEMORY_LIMIT_BYTES = 2**30
NUM_IMAGES_MEASURED = 2000


class Pixels:
    """Some images of a data set, before normalisation; kept in memory if all fit in MEMORY_LIMIT_BYTES.

    Positions count these images from 0.

    Attributes:
        indices: Where the images are in the data set.
        shape: Shape (C, H, W) of each image.
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        indices: np.ndarray,
        fit: Transform,
        example: Tensor,
        half: str = TRAINING,
    ) -> None:
        """Images of `dataset`, that half of a data set, at `indices`; `fit` must make pixels like `example` of each."""
        self.indices = indices
        self._dataset, self._fit, self._example, self._half = dataset, fit, example, half
        num_channels, height, width = example.shape
        self.shape = (num_channels, height, width)
        self._kept: Tensor | None = None
        if example.nbytes * len(indices) <= MEMORY_LIMIT_BYTES:
            self._kept = torch.empty((len(indices), *self.shape), dtype=example.dtype)
        self._is_kept = np.zeros(len(indices), dtype=bool)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, positions: np.ndarray) -> Tensor:
        """Pixels [B, C, H, W], uint8 or floats in 0..1."""
        if self._kept is None:
            return torch.stack([self._read(position) for position in positions])
        for position in positions[~self._is_kept[positions]]:
            self._kept[position] = self._read(position)
            self._is_kept[position] = True
        return self._kept[torch.from_numpy(positions)]

    def stored(self, position: int) -> Any:
        """The image at its own size: a PIL image or a tensor [C, H, W]."""
        return read_image(self._dataset, int(self.indices[position]), self._half)

    def mean_and_std(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel in at most NUM_IMAGES_MEASURED images, to four digits.

        Further digits depend on the machine's arithmetic, and what is computed from the images must not.
        """
        positions = np.linspace(0, len(self) - 1, min(len(self), NUM_IMAGES_MEASURED)).astype(int)
        moments = torch.zeros(2, self.shape[0], dtype=torch.float64)
        for position in positions:
            image = to_dtype(self[position[None]][0], torch.float64, scale=True)
            moments += torch.stack([image.mean((1, 2)), image.square().mean((1, 2))])
        mean, mean_square = moments / len(positions)
        std = (mean_square - mean.square()).clamp_min(0).sqrt()
        return tuple(mean.round(decimals=4).tolist()), tuple(std.round(decimals=4).tolist())

    def _read(self, position: int) -> Tensor:
        pixels = self._fit(self.stored(position))
        if (pixels.shape, pixels.dtype) != (self._example.shape, self._example.dtype):
            raise UserError(
                f"all images must be {_describe(self._example)} like the first one, but "
                f"{described(self._dataset, int(self.indices[position]), self._half)} is {_describe(pixels)}: "
                + _remedy(pixels, self._example)
            )
        return pixels


def _remedy(pixels: Tensor, example: Tensor) -> str:
    if (pixels.shape[0], pixels.dtype) == (example.shape[0], example.dtype):
        return "set data.image_size for a common size"
    return "convert all to the same channels and type in the function of data.source"


def _describe(pixels: Tensor) -> str:
    return f"{str(pixels.dtype).removeprefix('torch.')} {tuple(pixels.shape)}"
