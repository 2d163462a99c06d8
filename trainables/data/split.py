"""The labelled images of one split, in an order and with an augmentation that depend on seeds alone."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from nasray.errors import UserError
from nasray.trainables.core.process_group import ProcessGroup
from nasray.trainables.core.seeding import derive_seed, generator
from nasray.trainables.data.loading import loaded
from nasray.trainables.data.pixels import Pixels
from nasray.trainables.data.transforms import Transform

NUM_IMAGES_HASHED = 16
ALONE = ProcessGroup()

Batch = tuple[Tensor, Tensor]
Positions = Sequence[int] | np.ndarray


class Split:
    """The labelled images of one split; positions count them from 0.

    Attributes:
        name: "train", "held_out" or "test".
    """

    def __init__(
        self,
        name: str,
        pixels: Pixels,
        labels: np.ndarray,
        normalise: Transform,
        *,
        augment: Transform | None = None,
        seed: int = 0,
    ) -> None:
        self.name = name
        self._pixels = pixels
        self._labels = torch.from_numpy(labels)
        self._normalise, self._augment, self._seed = normalise, augment, seed

    def __len__(self) -> int:
        return len(self._pixels)

    def images(self, positions: Positions, view: int | None = None) -> Tensor:
        """Normalised images [B, C, H, W], float32.

        Args:
            positions: Which images, in this order.
            view: None for plain images; else each is augmented in a way that depends on the data's seed, the
                view and the image, and on nothing else. Without augmentation, plain images in every view.
        """
        positions = np.asarray(positions)
        if view is None or self._augment is None:
            return self._normalise(self._pixels[positions])
        with torch.random.fork_rng(devices=[]):
            return torch.stack([self._augmented(position, view, self._augment) for position in positions])

    def labels(self, positions: Positions) -> Tensor:
        """Labels [B], int64, of the images at `positions`."""
        return self._labels[torch.from_numpy(np.asarray(positions))]

    def batches(
        self,
        batch_size: int,
        *,
        seed: int,
        epoch: int,
        shuffle: bool,
        augment: bool,
        num_workers: int = 0,
        group: ProcessGroup = ALONE,
    ) -> Iterator[Batch]:
        """One pass over all images in batches (images [B, C, H, W], labels [B]) of almost equal size.

        Args:
            batch_size: Largest size of a batch.
            seed: Decides the order, together with `epoch`.
            epoch: Also the view of the images, where they are augmented.
            shuffle: Take the images in random order.
            augment: Augment the images.
            num_workers: Processes that prepare batches; changes nothing but the time.
            group: Whose part of every batch is wanted.

        Raises:
            UserError: `batch_size` is below 1.
        """
        if batch_size < 1:
            raise UserError(f"batch_size must be at least 1, got {batch_size}")
        order = np.arange(len(self))
        if shuffle:
            order = generator(seed, "order", epoch).permutation(order)
        parts = [group.part(batch) for batch in np.array_split(order, -(-len(order) // batch_size))]
        view = epoch if augment else None
        return loaded(lambda part: (self.images(part, view), self.labels(part)), parts, num_workers)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of which images, all labels, some plain images as given, and the augmentation.

        What the others hold, the data set's identity tells.
        """
        digest = hashlib.sha256(self._pixels.indices.tobytes())
        digest.update(self._labels.numpy().tobytes())
        sample = np.linspace(0, len(self) - 1, NUM_IMAGES_HASHED).astype(int)
        digest.update(self.images(sample).numpy().tobytes())
        if self._augment is not None:
            digest.update(f"{self._augment} {self._seed}".encode())
        return digest.hexdigest()

    def _augmented(self, position: int, view: int, augment: Transform) -> Tensor:
        seed = derive_seed(self._seed, "augment", view, int(self._pixels.indices[position]))
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reset the GPUs' generators too
        return augment(self._pixels.stored(position))
