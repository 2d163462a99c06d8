"""What a block learns from: the teacher's features before and after it, from the cache or computed as needed."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from trainables.cutting import CutTeacher
from trainables.data import ImageData
from trainables.feature_cache import CachedFeatures
from trainables.seeding import generator
from trainables.split import Split
from trainables.training import ComputeConfig

Pair = tuple[Tensor, Tensor]


class FeatureSource(Protocol):
    """Gives the teacher's features (block input, block output) of images of a split, by their positions in it."""

    def pair(self, split: Split, positions: np.ndarray, view: int | None) -> Pair:
        """Features [B, ...] of the images at `positions`; augmented in the way of `view`, or not at all."""


class CachedSource:
    """Features read from the cache."""

    def __init__(self, train: CachedFeatures, held_out: CachedFeatures, block: int) -> None:
        self._features = {"train": train, "held_out": held_out}
        self._block = block

    def pair(self, split: Split, positions: np.ndarray, view: int | None) -> Pair:
        """Features [B, ...] from the files; a split cached in V views gives view `view` modulo V."""
        features = self._features[split.name]
        rows = positions + len(split) * ((view or 0) % features.num_views)
        return features.read(self._block, rows), features.read(self._block + 1, rows)


class OnlineSource:
    """Features computed by the teacher's part up to the block, anew for every batch."""

    def __init__(self, teacher: CutTeacher, block: int, views: int | None, compute: ComputeConfig) -> None:
        self._device = compute.prepare()
        self._teacher = compute.place_module(teacher, self._device)
        self._block, self._views, self._compute = block, views, compute

    @torch.no_grad()
    def pair(self, split: Split, positions: np.ndarray, view: int | None) -> Pair:
        """Features [B, ...] of images that are augmented afresh for each `view`, or in the configured views in turn."""
        if view is not None and self._views is not None:
            view = view % self._views if self._views else None
        images = self._compute.place(split.images(positions, view=view), self._device)
        features = self._teacher.features(images, up_to=self._block + 1)
        return features[self._block], features[self._block + 1]


class BlockData:
    """Batches for training, calibrating and rating one block."""

    def __init__(
        self, images: ImageData, source: FeatureSource, compute: ComputeConfig, *, seed: int
    ) -> None:
        self._images, self._source, self._compute, self._seed = images, source, compute, seed
        self._device = compute.prepare()

    def train_batches(self, epoch: int, batch_size: int) -> Iterator[Pair]:
        """One pass over the training images in the epoch's order, in batches of almost equal size."""
        split = self._images.train
        order = generator(self._seed, "order", epoch).permutation(len(split))
        for positions in np.array_split(order, -(-len(order) // batch_size)):
            yield self._pair(split, positions, view=epoch)

    def calibration_batches(self, num_images: int, batch_size: int) -> list[Tensor]:
        """Block inputs [B, ...] of training images in their first view, for batch-norm statistics; always the same."""
        split = self._images.train
        chosen = np.sort(generator(self._seed, "calibration").permutation(len(split))[:num_images])
        num_batches = max(1, len(chosen) // batch_size)
        return [self._pair(split, positions, view=0)[0] for positions in np.array_split(chosen, num_batches)]

    def held_out_batches(self, num_batches: int, *, spread: bool = False) -> list[Pair]:
        """All held-out images in equal batches (sizes differ by one at the most).

        Args:
            num_batches: How many.
            spread: Every batch takes its images from all over the held-out ones, so that a few stand for all, even
                where data sets are in the order of their classes; else each has neighbours.

        Raises:
            ValueError: There are fewer held-out images than batches.
        """
        split = self._images.held_out
        check_num_batches(num_batches, len(split))
        rows = np.arange(len(split))
        parts = (
            [rows[n::num_batches] for n in range(num_batches)]
            if spread
            else np.array_split(rows, num_batches)
        )
        return [self._pair(split, part, view=None) for part in parts]

    def _pair(self, split: Split, positions: np.ndarray, view: int | None) -> Pair:
        features, target = self._source.pair(split, positions, view)
        return self._compute.place(features, self._device), self._compute.place(target, self._device)


def check_num_batches(num_batches: int, num_images: int) -> None:
    """Hold the number of held-out batches to the number of held-out images.

    Raises:
        ValueError: There are fewer images than batches.
    """
    if num_images < num_batches:
        raise ValueError(
            f"rating.num_batches must be at most the number of held-out images, {num_images}, got {num_batches}"
        )
