"""The training images in two halves: one for the weights, one for the alphas."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nasray.trainables.core.compute import place, prepare
from nasray.trainables.core.seeding import generator
from nasray.trainables.data.image_data import ImageData
from nasray.trainables.data.loading import loaded
from nasray.trainables.settings.compute import ComputeConfig


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
        self._device = prepare(compute)
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
        jobs = [
            job for rows in zip(train, val, strict=True) for job in zip(self._positions, rows, strict=True)
        ]
        batches = loaded(lambda job: self._load(*job, view=epoch), jobs, self._compute.num_workers)
        for train_batch, val_batch in zip(batches, batches, strict=True):  # one of each half in turn
            yield self._placed(train_batch), self._placed(val_batch)

    def fixed(self, half: str, num_images: int) -> Batch:
        """The first images of a half ("train" or "val"), not augmented; always the same."""
        rows = np.arange(min(num_images, len(self._positions[half])))
        return self._placed(self._load(half, rows, view=None))

    def _load(self, half: str, rows: np.ndarray, view: int | None) -> Batch:
        positions = self._positions[half][rows]
        return Batch(
            torch.from_numpy(rows), self._split.images(positions, view), self._split.labels(positions)
        )

    def _placed(self, batch: Batch) -> Batch:
        """The batch with its images and labels on the device."""
        images = place(self._compute, batch.images, self._device)
        return batch._replace(images=images, labels=batch.labels.to(self._device))
