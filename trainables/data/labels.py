"""The labels of a data set, and the number of its classes."""

from typing import Any

import numpy as np
from torch.utils.data import Dataset, Subset

from nasray.errors import UserError
from nasray.trainables.data.items import blamed, read_item

_NUM_SHOWN = 5


def labels_of(dataset: Dataset[Any], half: str) -> np.ndarray:
    """Label of each image, int64 [N]; from `targets` where the data set has them, else image by image.

    Args:
        dataset: A half of a data set.
        half: Which half, for messages.

    Raises:
        UserError: They are no whole numbers, one for each image, or one cannot be read.
    """
    if isinstance(dataset, Subset):
        return labels_of(dataset.dataset, half)[np.asarray(dataset.indices)]
    with blamed(f"tell how many {half} images it has"):
        number = len(dataset)  # type: ignore[arg-type]
    if hasattr(dataset, "targets"):
        return _checked(np.asarray(dataset.targets), number, half)
    with blamed(f"give whole numbers as labels of its {half} images"):
        return np.array([int(read_item(dataset, i, half)[1]) for i in range(number)], dtype=np.int64)


def num_classes(source_classes: Any, *labels: np.ndarray) -> int:
    """One more than the largest label.

    Args:
        source_classes: The names of the classes, where the data set tells them: then some may be without images.
        labels: Those of each half.

    Raises:
        UserError: A label is below 0, or some classes below the largest have no image at all.
    """
    present = np.unique(np.concatenate(labels))
    number, smallest = int(present[-1]) + 1, int(present[0])
    if smallest < 0:
        raise UserError(
            f"labels must be numbers from 0 on, got {smallest}: leave out images whose label means that they are to be "
            "ignored"
        )
    if len(present) == number or (source_classes is not None and number <= len(source_classes)):
        return number
    # Found without counting to the largest, which may be any number.
    gaps = np.flatnonzero(np.diff(present, prepend=-1) > 1)
    first = int(present[gaps[0] - 1]) + 1 if gaps[0] else 0
    listed = ", ".join(map(str, present[:_NUM_SHOWN])) + (", ..." if len(present) > _NUM_SHOWN else "")
    raise UserError(
        f"labels must be the numbers from 0 to that of the last class, but {len(present)} different ones go up to "
        f"{number - 1} ({listed}), and no image has {first}: number the classes anew, leave out images whose label "
        "means that they are to be ignored, or name all classes in an attribute `classes` of the data sets"
    )


def _checked(targets: np.ndarray, number: int, half: str) -> np.ndarray:
    """A data set's `targets`, held to be labels.

    Raises:
        UserError: They are something else.
    """
    is_whole = targets.dtype.kind in "iub" or (
        targets.dtype.kind == "f"
        and bool(np.isfinite(targets).all() and (targets == np.floor(targets)).all())
    )
    if targets.shape != (number,) or not is_whole:
        raise UserError(
            f"the attribute `targets` of the {half} images must hold a whole number for each of the {number}, got "
            f"{targets.dtype} {targets.shape}"
        )
    return targets.astype(np.int64)
