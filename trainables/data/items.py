"""One item of a data set: an image and its label, or a message that names what cannot be read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor
from torch.utils.data import Dataset, Subset

from nasray.errors import UserError
from nasray.search_spaces.names.attribute import place_of

TRAINING, TEST = "training", "test"
"""The halves of a data set, for messages."""
_MODES = ("1", "L", "RGB", "I;16")
_TO_RGB = ("P", "CMYK", "YCbCr", "HSV")
_TOO_WIDE = (torch.int32, torch.int64, torch.uint32, torch.uint64)


def read_item(dataset: Dataset[Any], index: int, half: str) -> tuple[Any, Any]:
    """The image, as it is stored, and the label.

    Args:
        dataset: A half of a data set.
        index: Of which item.
        half: Which half, `TRAINING` or `TEST`.

    Raises:
        UserError: The data set fails on it, or the image is a tensor with NaN or infinite pixels.
        OSError: The disk or the network fails.
    """
    what = described(dataset, index, half)
    with blamed(f"give an image and a label for every number below its length, but {what} cannot be read"):
        image, label = dataset[index]
    if isinstance(image, Tensor) and image.is_floating_point() and not bool(image.isfinite().all()):
        raise UserError(
            f"data.source must give finite pixels, but {what} has NaN or infinite ones: leave it out"
        )
    return image, label


def read_image(dataset: Dataset[Any], index: int, half: str) -> Any:
    """An image in a form of which every value is a pixel's: a PIL image in gray or colour, or a tensor.

    The colours of a palette take the place of their numbers, and an alpha that hides nothing is left out.

    Args:
        dataset: As for `read_item`.
        index: As there.
        half: As there.

    Raises:
        UserError: As for `read_item`; or its values have no known range, or it is transparent somewhere.
        OSError: As for `read_item`.
    """
    image, _ = read_item(dataset, index, half)
    if isinstance(image, Image):
        return _without_extras(image, described(dataset, index, half))
    if image.dtype in _TOO_WIDE:
        raise UserError(
            f"data.source must give uint8, uint16 or floats in 0..1, but {described(dataset, index, half)} is of "
            f"{str(image.dtype).removeprefix('torch.')}, whose largest value no pixel has: convert it, say by "
            ".to(torch.uint8) where values end at 255"
        )
    return image


def described(dataset: Any, index: int, half: str) -> str:
    """Which item that is, with its file where that is known."""
    place = index
    while isinstance(dataset, Subset):
        dataset, place = dataset.dataset, int(dataset.indices[place])
    samples = getattr(dataset, "samples", None)
    sample = samples[place] if isinstance(samples, list) and place < len(samples) else None
    file = f" ({sample[0]})" if isinstance(sample, tuple) else ""
    return f"image {index} of the {half} images{file}"


@contextmanager
def blamed(requirement: str) -> Iterator[None]:
    """Within, what a data set raises is told as its own fault.

    Raises:
        UserError: Something was raised; but for an error of the system's, such as of a disk, which may pass.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, UserError) or (isinstance(error, OSError) and error.errno is not None):
            raise
        raise UserError(
            f"data.source must {requirement}: {type(error).__name__}: {error} ({place_of(error)})"
        ) from error


def _without_extras(image: Image, what: str) -> Image:
    """The image in one of `_MODES`.

    Raises:
        UserError: It cannot be told how.
    """
    if image.has_transparency_data:
        if image.convert("RGBA").getchannel("A").getextrema() != (255, 255):
            raise UserError(
                f"data.source must give images without transparent pixels, but {what} has some: put it before a "
                'background, or drop what is transparent by image.convert("RGB")'
            )
        return image.convert("L" if image.mode in ("L", "LA") else "RGB")
    if image.mode in _TO_RGB:
        return image.convert("RGB")
    if image.mode not in _MODES:
        raise UserError(
            f"data.source must give images whose pixels have a known range, of the modes {', '.join(_MODES)}, but "
            f"{what} is of mode {image.mode!r}: give a tensor [C, H, W] of floats in 0..1"
        )
    return image
