"""CIFAR-10 for the benchmarks: torchvision's files, or the images as files in class folders."""

from pathlib import Path
from typing import Any

from torch.utils.data import Dataset
from torchvision.datasets import ImageFolder


def cifar10(root: Path) -> dict[str, Any]:
    """What `data` says in a config to read CIFAR-10 from `root`.

    It must hold torchvision's `cifar-10-batches-py`, or `train/<class>/` and `test/<class>/` with an image file each.

    Raises:
        SystemExit: There is neither.
    """
    root = root.resolve()
    if (root / "cifar-10-batches-py").is_dir():
        return {"source": "cifar10", "root": str(root)}
    if not ((root / "train").is_dir() and (root / "test").is_dir()):
        raise SystemExit(f"{root} must hold cifar-10-batches-py/, or train/<class>/ and test/<class>/")
    mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    return {"source": "cifar10_images:class_folders", "root": str(root), "mean": mean, "std": std}


def class_folders(root: Path) -> tuple[Dataset, Dataset]:
    """Training and test images."""
    return ImageFolder(root / "train"), ImageFolder(root / "test")
