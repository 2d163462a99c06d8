"""Identity of a data set: its images and their labels, wherever its files lie."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL.Image import Image
from pydantic import BaseModel, ConfigDict
from torch import Tensor
from torch.utils.data import Dataset, Subset, TensorDataset
from torchvision.datasets import CIFAR10, CIFAR100, FashionMNIST, ImageFolder

from nasray.errors import UserError
from nasray.trainables.data.file_digests import FileDigests
from nasray.trainables.data.items import TEST, TRAINING, read_item
from nasray.trainables.data.sources import ImageSource
from nasray.trainables.data.whole_files import check_whole

_NUM_SHOWN = 4
_NUM_READ_TWICE = 4
_NUM_SAMPLED = 16
_ARRAYS = (CIFAR10, CIFAR100, FashionMNIST)
VERSION = "data_version"
"""Attribute by which a user's data set tells its own identity, where reading all of its images would take long."""


class Part(BaseModel):
    """The images of one class, or all of a data set that tells its own version.

    Attributes:
        num_images: How many there are.
        digest: Of their names or places, in order, and their contents; or the version.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_images: int
    digest: str


class DataIdentity(BaseModel):
    """What a data set consists of.

    Attributes:
        parts: By "train/<class>" and "test/<class>", in the order of the classes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    parts: dict[str, Part]

    @classmethod
    def of(cls, source: ImageSource) -> Self:
        """The identity of all images of a source, of which every one is read, or its file.

        Raises:
            UserError: Images differ from one reading to the next, or one is damaged.
            OSError: A file cannot be read.
        """
        halves = {"train": (source.train, TRAINING), "test": (source.test, TEST)}
        return cls(
            parts={
                f"{prefix}/{name}": part
                for prefix, (dataset, half) in halves.items()
                for name, part in _parts(dataset, half).items()
            }
        )

    @property
    def digest(self) -> str:
        """Digest of the whole identity."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:24]

    def changes(self, now: "DataIdentity") -> str:
        """What is different now, in words, class by class; empty where nothing is."""
        before, after = self.parts, now.parts
        added, gone = after.keys() - before.keys(), before.keys() - after.keys()
        counts = [
            f"{name} has {after[name].num_images:,} images instead of {before[name].num_images:,}"
            for name in before
            if name in after and after[name].num_images != before[name].num_images
        ]
        others = [
            name
            for name in before
            if name in after
            and after[name].num_images == before[name].num_images
            and after[name].digest != before[name].digest
        ]
        texts = [
            f"{_listed(after, added)} were added" if added else "",
            f"{_listed(before, gone)} are gone" if gone else "",
            f"{'; '.join(counts[:_NUM_SHOWN])}{_more(len(counts))}" if counts else "",
            f"images of {_listed(before, set(others))} changed" if others else "",
            "the order of the classes changed" if before == after and list(before) != list(after) else "",
        ]
        return "; ".join(filter(None, texts))


def sample_digest(source: ImageSource) -> str:
    """Digest of a few images of each half of a data set with their labels, and of how many there are.

    It tells other data from these in no time, if not surely.
    """
    digest = hashlib.sha256()
    for dataset, half in ((source.train, TRAINING), (source.test, TEST)):
        number = len(dataset)  # type: ignore[arg-type]
        digest.update(f"{number}\0".encode())
        for place in np.unique(np.linspace(0, number - 1, _NUM_SAMPLED).astype(int)).tolist():
            image, label = read_item(dataset, place, half)
            digest.update(f"{int(label)} {_content(image)}\0".encode())
    return digest.hexdigest()


def _listed(parts: Mapping[str, Part], names: set[str]) -> str:
    """The first few of some parts' names."""
    chosen = [name for name in parts if name in names]
    return ", ".join(chosen[:_NUM_SHOWN]) + _more(len(chosen))


def _more(number: int) -> str:
    return f" and {number - _NUM_SHOWN} more" if number > _NUM_SHOWN else ""


def _parts(dataset: Dataset[Any], half: str) -> dict[str, Part]:
    """The parts of one half of a data set by the names of its classes."""
    _check_constant(dataset, half)
    if hasattr(dataset, VERSION):
        version = f"version {getattr(dataset, VERSION)}"
        return {"all": Part(num_images=len(dataset), digest=version)}  # type: ignore[arg-type]
    hashes: dict[int, Any] = defaultdict(hashlib.sha256)
    counts: dict[int, int] = defaultdict(int)
    for label, name, content in _items(dataset, half):
        hashes[label].update(f"{name}\0{content}\0".encode())
        counts[label] += 1
    classes = getattr(dataset, "classes", None)
    return {
        str(classes[label] if classes else label): Part(
            num_images=counts[label], digest=hashes[label].hexdigest()
        )
        for label in sorted(hashes)
    }


def _items(dataset: Dataset[Any], half: str) -> Iterator[tuple[int, str, str]]:
    """Label, name and digest of each image, in the data set's order."""
    # Of these types alone: a class derived from one may give other images than its base holds.
    if isinstance(dataset, Subset) and type(dataset) is Subset:
        items = list(_items(dataset.dataset, half))
        yield from (items[index] for index in dataset.indices)
    elif isinstance(dataset, ImageFolder) and type(dataset) is ImageFolder:
        root = Path(dataset.root)
        names = [Path(path).relative_to(root).as_posix() for path, _ in dataset.samples]
        found = FileDigests(root, check=check_whole).of(names)
        labels = (label for _, label in dataset.samples)
        # What a user's transform makes of an image is a matter of code, see `source_digests`.
        yield from ((label, name, digest) for label, name, digest in zip(labels, names, found, strict=True))
    elif type(dataset) in _ARRAYS:
        yield from _rows(torch.as_tensor(dataset.data), dataset.targets)  # type: ignore[attr-defined]
    elif isinstance(dataset, TensorDataset) and type(dataset) is TensorDataset:
        _check_finite(dataset, half)
        yield from _rows(dataset.tensors[0], dataset.tensors[1].tolist())
    else:
        for place in range(len(dataset)):  # type: ignore[arg-type]
            image, label = read_item(dataset, place, half)
            yield int(label), str(place), _content(image)


def _rows(images: Tensor, labels: Any) -> Iterator[tuple[int, str, str]]:
    kind = f"{images.dtype} {tuple(images.shape[1:])}"
    rows = images.detach().cpu().reshape(len(images), -1).contiguous().view(torch.uint8).numpy()
    for place, (row, label) in enumerate(zip(rows, labels, strict=True)):
        yield int(label), f"{place} {kind}", hashlib.sha256(row).hexdigest()


def _content(image: Image | Tensor) -> str:
    """Digest of an image as the data set gives it."""
    if isinstance(image, Tensor):
        kind = f"{image.dtype} {tuple(image.shape)}"
        content = image.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes()
    else:
        kind, content = f"{image.mode} {image.size} {image.getpalette()}", image.tobytes()
    return hashlib.sha256(kind.encode() + content).hexdigest()


def _check_finite(dataset: TensorDataset, half: str) -> None:
    """Have the first image that is not finite, if there is one, refused by its place."""
    images = dataset.tensors[0]
    if images.is_floating_point():
        for place in torch.nonzero(~images.flatten(1).isfinite().all(dim=1))[:1].flatten().tolist():
            read_item(dataset, place, half)


def _check_constant(dataset: Any, half: str) -> None:
    """Refuse images that are drawn at random whenever they are asked for, and a number of them that changes.

    Raises:
        UserError: One of the first few is another when it is read again, or their number is.
    """
    number = len(dataset)
    for place in range(min(number, _NUM_READ_TWICE)):
        first, second = (_content(read_item(dataset, place, half)[0]) for _ in range(2))
        if first != second:
            raise UserError(
                f"data.source must give the same image whenever it is asked for one, but image {place} changes from "
                "one reading to the next: leave what is random to data.augment"
            )
    now = len(dataset)
    if now != number:
        raise UserError(
            f"data.source must give data sets of a length that stays, but that of the {half} images was {number} and "
            f"is {now}: list the images once, when the data set is made"
        )
