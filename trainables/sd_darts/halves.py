"""The training images in two halves: one for the weights, one for the alphas."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from trainables.data import ImageData
from trainables.seeding import generator
from trainables.training import ComputeConfig


class Batch(NamedTuple):
    """Images of one half.

    Attributes:
        rows: Which images of the half, [B], on the CPU.
        images: Normalised images [B, C, H, W].
        labels: Labels [B].
    """

    rows: Tensor
    images: Tensor
    labels: Tensor


class Halves:
    """Batches of the weights' half and of the alphas' half of the training images.

    Attributes:
        num_train: Images of the weights' half, which is the larger one of an odd number.
        num_val: Images of the alphas' half.
    """

    def __init__(self, images: ImageData, compute: ComputeConfig, *, seed: int) -> None:
        self._split, self._compute, self._seed = images.train, compute, seed
        self._device = compute.prepare()
        order = generator(seed, "halves").permutation(len(self._split))
        self.num_train = -(-len(order) // 2)
        self.num_val = len(order) - self.num_train
        self._positions = {"train": order[: self.num_train], "val": order[self.num_train :]}

    def batches(self, epoch: int, batch_size: int) -> Iterator[tuple[Batch, Batch]]:
        """One pass over both halves, each in this epoch's order: (weights' batch, alphas' batch), augmented."""
        num_batches = -(-self.num_train // batch_size)
        train, val = (
            np.array_split(generator(self._seed, "order", half, epoch).permutation(len(rows)), num_batches)
            for half, rows in self._positions.items()
        )
        for train_rows, val_rows in zip(train, val, strict=True):
            yield self._batch("train", train_rows, view=epoch), self._batch("val", val_rows, view=epoch)

    def fixed(self, half: str, num_images: int) -> Batch:
        """The first images of a half ("train" or "val"), not augmented; always the same."""
        return self._batch(half, np.arange(min(num_images, len(self._positions[half]))), view=None)

    def _batch(self, half: str, rows: np.ndarray, view: int | None) -> Batch:
        positions = self._positions[half][rows]
        images = self._compute.place(self._split.images(positions, view), self._device)
        return Batch(torch.from_numpy(rows), images, self._split.labels(positions).to(self._device))
