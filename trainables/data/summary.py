"""A data set's sizes: from its images, or the published ones where its files are not at hand."""

from dataclasses import dataclass

from nasray.trainables.data.image_data import ImageData
from nasray.trainables.settings.data import DataConfig


@dataclass(frozen=True, slots=True)
class DataSummary:
    """What a plan needs to know of a data set.

    Attributes:
        input_shape: Shape (C, H, W) of every image.
        num_classes: Number of classes.
        num_train: Images to train on.
        num_held_out: Images kept for ratings.
        num_test: Images for the last word.
        found: Whether the files were read; if not, these are the data set's published sizes.
    """

    input_shape: tuple[int, int, int]
    num_classes: int
    num_train: int
    num_held_out: int
    num_test: int
    found: bool


# Source: the data sets' own papers and pages; (channels, size, classes, training images, test images).
_PUBLISHED = {
    "fashion_mnist": (1, 28, 10, 60_000, 10_000),
    "cifar10": (3, 32, 10, 50_000, 10_000),
    "cifar100": (3, 32, 100, 50_000, 10_000),
    "imagenet": (3, 224, 1000, 1_281_167, 50_000),
}


def summarize(images: ImageData) -> DataSummary:
    """The sizes of a data set that is at hand."""
    return DataSummary(
        images.input_shape,
        images.num_classes,
        len(images.train),
        len(images.held_out),
        len(images.test),
        found=True,
    )


def published_summary(config: DataConfig) -> DataSummary | None:
    """The sizes that the data set is known to have, where its files are not at hand; None for sets of unknown size."""
    if config.source not in _PUBLISHED or (config.root is not None and config.root.exists()):
        return None
    channels, size, num_classes, num_images, num_test = _PUBLISHED[config.source]
    size = config.image_size or size
    num_held_out = config.num_held_out_images or round(config.held_out_fraction * num_images)
    num_train = config.num_train_images or num_images - num_held_out
    num_test = config.num_test_images or num_test
    return DataSummary((channels, size, size), num_classes, num_train, num_held_out, num_test, found=False)
