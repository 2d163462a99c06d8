"""Sources of labelled images: scikit-learn, torchvision's data sets on disk, or a user's function."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, TensorDataset
from torchvision.datasets import CIFAR10, CIFAR100, FashionMNIST, ImageFolder

from nasray.errors import UserError
from nasray.search_spaces.names.attribute import call_named
from nasray.trainables.core.seeding import global_generators_seeded
from nasray.trainables.data.items import blamed

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
NUM_DIGITS_FOR_TEST = 360


@dataclass(frozen=True, slots=True)
class ImageSource:
    """The training and test images of one data set, as they are stored.

    Attributes:
        train: Map-style data set of (PIL image or tensor [C, H, W], label).
        test: The same, for the images that are kept apart.
        mean: Usual mean of each channel, for values in 0..1; None where it is to be computed.
        std: Usual standard deviation of each channel; None where it is to be computed.
        image_size: Height and width that images are usually brought to; None: as they are.
        crop_fraction: Share of the resized image's side that the centre crop keeps.
    """

    train: Dataset[Any]
    test: Dataset[Any]
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    image_size: int | None = None
    crop_fraction: float = 1.0


_OPENED: ContextVar[dict[tuple[str, Path | None], ImageSource] | None] = ContextVar("opened", default=None)


@contextmanager
def sources_opened_once() -> Iterator[None]:
    """Within, what is opened again under the same name and root is the same object: a hundred searches hold one."""
    token = _OPENED.set({})
    try:
        yield
    finally:
        _OPENED.reset(token)


def open_source(name: str, root: Path | None) -> ImageSource:
    """The images of the shipped data set `name`, or of the function that `name` gives as "module:function".

    Raises:
        UserError: `name` is unknown, the files are not under `root`, or the function returns something else.
    """
    opened = _OPENED.get()
    if opened is None:
        return _open(name, root)
    if (name, root) not in opened:
        opened[name, root] = _open(name, root)
    return opened[name, root]


def _open(name: str, root: Path | None) -> ImageSource:
    if ":" in name:
        return _from_function(name, root)
    if name not in SOURCES:
        raise UserError(f'data.source must be one of {", ".join(SOURCES)} or "module:function", got {name!r}')
    return SOURCES[name](root)


def _digits(_root: Path | None) -> ImageSource:
    # Imported here, since every unit's process would wait for a second for what only this data set needs.
    from sklearn.datasets import load_digits  # noqa: PLC0415
    from sklearn.model_selection import train_test_split  # noqa: PLC0415

    bunch = load_digits()
    images = torch.from_numpy(bunch.images / bunch.images.max()).float().unsqueeze(1)
    labels = torch.from_numpy(bunch.target)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=NUM_DIGITS_FOR_TEST, stratify=bunch.target, random_state=0
    )
    return ImageSource(TensorDataset(images[train], labels[train]), TensorDataset(images[test], labels[test]))


def _fashion_mnist(root: Path | None) -> ImageSource:
    folder = root or DEBIAN_FASHION_MNIST
    if (folder / "train-images-idx3-ubyte.gz").exists():
        train, test = _read_idx(folder, "train"), _read_idx(folder, "t10k")
    else:
        expected = (
            f"{folder}/{{train,t10k}}-{{images-idx3,labels-idx1}}-ubyte.gz "
            f"or {folder}/FashionMNIST/raw/{{train,t10k}}-{{images-idx3,labels-idx1}}-ubyte, "
            "or no data.root and Debian's package dataset-fashion-mnist"
        )
        train, test = _open_both(FashionMNIST, folder, expected)
    return ImageSource(train, test, mean=(0.2860,), std=(0.3530,))


def _read_idx(folder: Path, part: str) -> Dataset[Any]:
    """Images uint8 [N, 1, 28, 28] and labels of two gzipped IDX files, whose headers have 16 and 8 bytes."""

    def read(kind: str, header_bytes: int) -> Tensor:
        content = gzip.decompress((folder / f"{part}-{kind}-ubyte.gz").read_bytes())
        return torch.from_numpy(np.frombuffer(content, dtype=np.uint8, offset=header_bytes).copy())

    return TensorDataset(read("images-idx3", 16).view(-1, 1, 28, 28), read("labels-idx1", 8).long())


def _cifar10(root: Path | None) -> ImageSource:
    root = _required("cifar10", root)
    train, test = _open_both(
        CIFAR10, root, f"{root}/cifar-10-batches-py/{{data_batch_1..5,test_batch,batches.meta}}"
    )
    return ImageSource(train, test, mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))


def _cifar100(root: Path | None) -> ImageSource:
    root = _required("cifar100", root)
    train, test = _open_both(CIFAR100, root, f"{root}/cifar-100-python/{{train,test,meta}}")
    return ImageSource(train, test, mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762))


def _imagenet(root: Path | None) -> ImageSource:
    """ImageNet's class folders, labelled as by torchvision's `ImageNet` but without its metadata file."""
    root = _required("imagenet", root)
    try:
        train, test = ImageFolder(root / "train"), ImageFolder(root / "val")
    except FileNotFoundError as error:
        raise UserError(
            f"imagenet must lie in {root}/train/<class>/*.JPEG and {root}/val/<class>/*.JPEG: {error}"
        ) from error
    if train.classes != test.classes:
        differing = sorted(set(train.classes) ^ set(test.classes))
        raise UserError(
            f"{root}/train and {root}/val must have the same class folders, they differ in {differing[:5]}"
        )
    return ImageSource(
        train,
        test,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        image_size=224,
        crop_fraction=0.875,
    )


def _required(name: str, root: Path | None) -> Path:
    if root is None:
        raise UserError(f"data.root must be the folder of {name}, got none")
    return root


def _open_both(dataset: Any, root: Path, expected: str) -> tuple[Dataset[Any], Dataset[Any]]:
    """The training and test part of a torchvision data set; an error tells which files are `expected`."""
    try:
        return dataset(root, train=True), dataset(root, train=False)
    except RuntimeError as error:
        raise UserError(
            f"{dataset.__name__} must lie in {expected}: there are none such, or they are damaged"
        ) from error


def _from_function(name: str, root: Path | None) -> ImageSource:
    """What the user's function returns, called with `root` where there is one.

    What it draws from global generators is the same in every process, whatever the experiment's seed.
    """
    with global_generators_seeded(0, name):
        found = call_named(name, *([] if root is None else [root]))
    with blamed("give data sets that tell their length and their first item"):
        fits = isinstance(found, tuple | list) and len(found) == 2 and all(map(_is_image_dataset, found))
    if not fits:
        raise UserError(
            f"{name} must return (train, validation), two map-style data sets of "
            f"(PIL image or tensor [C, H, W], integer label), got {_describe(found)}"
        )
    return ImageSource(*found)


def _is_image_dataset(dataset: Any) -> bool:
    is_map = hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
    if isinstance(dataset, IterableDataset) or not is_map:
        return False
    return len(dataset) > 0 and _is_labelled_image(dataset[0])


def _is_labelled_image(item: Any) -> bool:
    if not (isinstance(item, tuple | list) and len(item) == 2):
        return False
    image, label = item
    is_image = isinstance(image, Image) or (isinstance(image, Tensor) and image.dim() == 3)
    if isinstance(label, Tensor):
        return is_image and label.dim() == 0 and not label.is_floating_point()
    return is_image and isinstance(label, int | np.integer)


def _describe(found: Any) -> str:
    if isinstance(found, tuple | list):
        return f"({', '.join(type(part).__name__ for part in found)})"
    return type(found).__name__


SOURCES: dict[str, Callable[[Path | None], ImageSource]] = {
    "digits": _digits,
    "fashion_mnist": _fashion_mnist,
    "cifar10": _cifar10,
    "cifar100": _cifar100,
    "imagenet": _imagenet,
}
