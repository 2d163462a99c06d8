"""Training pairs of a block: the teacher's features before and behind it, cached or computed as needed."""

import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from nasray.errors import UserError
from nasray.trainables.core.compute import place, place_module, prepare
from nasray.trainables.core.guards.watchdog import step_made
from nasray.trainables.core.process_group import current_group
from nasray.trainables.core.seeding import generator
from nasray.trainables.cutting.cutting import CutTeacher
from nasray.trainables.data.image_data import ImageData
from nasray.trainables.data.loading import loaded
from nasray.trainables.data.split import Split
from nasray.trainables.features.cache import CachedFeatures
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.features import FeatureConfig

Pair = tuple[Tensor, Tensor]
Job = tuple[np.ndarray, int | None]
"""Positions of a batch's images in a split, and the view in whose way they are augmented; None: they are not."""
_AHEAD = 2  # batches that the disk is told of before they are read


class FeatureSource(Protocol):
    """Gives the teacher's features (block input, block output) of images of a split, by their positions in it."""

    def pairs(self, split: Split, jobs: Sequence[Job]) -> Iterator[Pair]:
        """Features [B, ...] of each batch of images."""


class CachedSource:
    """Features read from the cache."""

    def __init__(self, train: CachedFeatures, held_out: CachedFeatures, block: int) -> None:
        self._features = {"train": train, "held_out": held_out}
        self._block = block

    def pairs(self, split: Split, jobs: Sequence[Job]) -> Iterator[Pair]:
        """Features [B, ...] from the files."""
        features, boundaries = self._features[split.name], (self._block, self._block + 1)
        rows = [features.rows(positions, view) for positions, view in jobs]
        for number, of_batch in enumerate(rows):
            announced = rows[: _AHEAD + 1] if number == 0 else rows[number + _AHEAD : number + _AHEAD + 1]
            for soon, boundary in itertools.product(announced, boundaries):
                features.announce(boundary, soon)
            before, behind = (features.read(boundary, of_batch) for boundary in boundaries)
            yield before, behind


class OnlineSource:
    """Features computed by the teacher's part up to the block, anew for every batch."""

    def __init__(
        self, teacher: CutTeacher, block: int, features: FeatureConfig, compute: ComputeConfig
    ) -> None:
        self._device = prepare(compute)
        self._teacher = place_module(compute, teacher, self._device)
        self._block, self._features, self._compute = block, features, compute

    def pairs(self, split: Split, jobs: Sequence[Job]) -> Iterator[Pair]:
        """Features [B, ...] of images that are augmented afresh for each view, or in the configured views in turn."""
        for images in loaded(partial(self._images, split), jobs, self._compute.num_workers):
            with torch.no_grad():
                placed = place(self._compute, images, self._device)
                features = self._teacher.features(placed, up_to=self._block + 1)
            yield features[self._block], features[self._block + 1]

    def _images(self, split: Split, job: Job) -> Tensor:
        positions, view = job
        return split.images(positions, self._features.shown_view(split.name, view))


class BlockData:
    """Batches for training, calibrating and rating one block.

    Attributes:
        compute: Where they are.
    """

    def __init__(
        self, images: ImageData, source: FeatureSource, compute: ComputeConfig, *, seed: int
    ) -> None:
        self._images, self._source, self.compute, self._seed = images, source, compute, seed
        self._device = prepare(compute)

    def train_batches(self, epoch: int, batch_size: int) -> Iterator[Pair]:
        """One pass over the training images in the epoch's order, in batches of almost equal size."""
        return self._pairs(self._images.train, [(part, epoch) for part in self._parts(epoch, batch_size)])

    def view_batches(self, epoch: int, batch_size: int) -> Iterator[Pair]:
        """The same pass with two views of each image: block inputs [B, ...] of the one and of the other."""
        views = (2 * epoch, 2 * epoch + 1)
        return self._in_two_views(self._images.train, self._parts(epoch, batch_size), views)

    def calibration_batches(self, num_images: int, batch_size: int) -> list[Tensor]:
        """Block inputs [B, ...] of training images in their first view, for batch-norm statistics; always the same."""
        split = self._images.train
        chosen = np.sort(generator(self._seed, "calibration").permutation(len(split))[:num_images])
        num_batches = max(1, len(chosen) // batch_size)
        jobs = [(part, 0) for part in np.array_split(chosen, num_batches)]
        return [inputs for inputs, _ in self._pairs(split, jobs)]

    def held_out_batches(self, num_batches: int, *, spread: bool = False) -> list[Pair]:
        """All held-out images, as they are, in equal batches (sizes differ by one at the most).

        Args:
            num_batches: How many.
            spread: Every batch takes its images from all over the held-out ones, so that a few stand for all, even
                where data sets are in the order of their classes; else each has neighbours.

        Raises:
            UserError: There are fewer held-out images than batches.
        """
        parts = self._held_out_parts(num_batches, spread=spread)
        return list(self._pairs(self._images.held_out, [(part, None) for part in parts]))

    def held_out_views(self, num_batches: int, *, spread: bool = False) -> list[Pair]:
        """The same batches with two views of each image, always the same two: block inputs [B, ...] of both."""
        parts = self._held_out_parts(num_batches, spread=spread)
        return list(self._in_two_views(self._images.held_out, parts, (0, 1)))

    def _held_out_parts(self, num_batches: int, *, spread: bool) -> list[np.ndarray]:
        num_images = len(self._images.held_out)
        check_num_batches(num_batches, num_images)
        positions = np.arange(num_images)
        if spread:
            return [positions[number::num_batches] for number in range(num_batches)]
        return np.array_split(positions, num_batches)

    def _parts(self, epoch: int, batch_size: int) -> list[np.ndarray]:
        """The positions of an epoch's training images, batch by batch, or of this process's part of each."""
        order = generator(self._seed, "order", epoch).permutation(len(self._images.train))
        return [current_group().part(batch) for batch in np.array_split(order, -(-len(order) // batch_size))]

    def _in_two_views(
        self, split: Split, parts: Sequence[np.ndarray], views: tuple[int, int]
    ) -> Iterator[Pair]:
        pairs = self._pairs(split, [(part, view) for part in parts for view in views])
        for (one, _), (other, _) in zip(pairs, pairs, strict=True):  # the two views in turn
            yield one, other

    def _pairs(self, split: Split, jobs: Sequence[Job]) -> Iterator[Pair]:
        for features, target in self._source.pairs(split, jobs):
            step_made()
            yield place(self.compute, features, self._device), place(self.compute, target, self._device)


def check_num_batches(num_batches: int, num_images: int) -> None:
    """Hold the number of held-out batches to the number of held-out images.

    Raises:
        UserError: There are fewer images than batches.
    """
    if num_images < num_batches:
        raise UserError(
            f"rating.num_batches must be at most the number of held-out images, {num_images}, got {num_batches}"
        )
