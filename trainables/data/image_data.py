"""A data set's config, and its labelled images in three disjoint splits."""

from dataclasses import dataclass

import numpy as np

from nasray.errors import UserError
from nasray.trainables.core.seeding import generator
from nasray.trainables.data.items import TEST, TRAINING, read_image
from nasray.trainables.data.labels import labels_of, num_classes
from nasray.trainables.data.pixels import Pixels
from nasray.trainables.data.sources import ImageSource, open_source
from nasray.trainables.data.split import Split
from nasray.trainables.data.transforms import augmentation, fitting, normalisation
from nasray.trainables.settings.data import DataConfig


@dataclass(frozen=True, slots=True)
class ImageData:
    """A data set in three disjoint splits.

    Attributes:
        input_shape: Shape (C, H, W) of every image.
        num_classes: Number of classes; labels run from 0 to one less.
        mean: What each channel of an image is normalised by, for values in 0..1.
        std: The same, its standard deviation.
        train: What everything is trained on.
        held_out: Training images kept from all training, for ratings.
        test: The data set's own test images, for the last word only.
        source: The whole data set, as it is stored.
    """

    input_shape: tuple[int, int, int]
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train: Split
    held_out: Split
    test: Split
    source: ImageSource


def load_data(config: DataConfig, seed: int) -> ImageData:
    """The images that `config` names; `seed` decides which are held out or left out, and the augmentation.

    Raises:
        UserError: The files are missing, too few, or do not fit together.
    """
    source = open_source(config.source, config.root)
    labels, test_labels = labels_of(source.train, TRAINING), labels_of(source.test, TEST)
    train, held_out = _partition(config, len(labels), seed)
    test = _choose_test(config, len(test_labels), seed)
    fit = fitting(config.image_size or source.image_size, source.crop_fraction)
    example = fit(read_image(source.train, 0, TRAINING))
    pixels = Pixels(source.train, train, fit, example)
    mean, std = _mean_and_std(config, source, pixels)
    normalise = normalisation(mean, std)
    augment = None
    if config.augment is not None:
        augment = augmentation(config.augment, pixels.shape[1:], fit, normalise)
    held_out_pixels = Pixels(source.train, held_out, fit, example)
    test_pixels = Pixels(source.test, test, fit, example, TEST)
    return ImageData(
        input_shape=pixels.shape,
        num_classes=num_classes(getattr(source.train, "classes", None), labels, test_labels),
        mean=mean,
        std=std,
        train=Split("train", pixels, labels[train], normalise, augment=augment, seed=seed),
        held_out=Split("held_out", held_out_pixels, labels[held_out], normalise, augment=augment, seed=seed),
        test=Split("test", test_pixels, test_labels[test], normalise),
        source=source,
    )


def _partition(config: DataConfig, num_images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices, ascending, of the images to train on and of those held out."""
    order = generator(seed, "held_out").permutation(num_images)
    num_held_out = config.num_held_out_images or max(1, round(config.held_out_fraction * num_images))
    num_train = config.num_train_images or num_images - num_held_out
    if num_train < 1 or num_train + num_held_out > num_images:
        raise UserError(
            f"{config.source} has {num_images} training images, too few to train on {max(num_train, 1)} "
            f"and hold out {num_held_out}: lower data.num_train_images, data.num_held_out_images "
            "or data.held_out_fraction"
        )
    return np.sort(order[num_held_out : num_held_out + num_train]), np.sort(order[:num_held_out])


def _choose_test(config: DataConfig, num_images: int, seed: int) -> np.ndarray:
    """Indices, ascending, of the test images to use."""
    num_test = config.num_test_images or num_images
    if num_test > num_images:
        raise UserError(f"data.num_test_images must be at most {num_images}, got {num_test}")
    return np.sort(generator(seed, "test").permutation(num_images)[:num_test])


def _mean_and_std(
    config: DataConfig, source: ImageSource, pixels: Pixels
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What images are normalised by: as configured, else as usual for the source, else measured."""
    for mean, std in (config.mean, config.std), (source.mean, source.std):
        if mean is not None and std is not None:
            if not len(mean) == len(std) == pixels.shape[0]:
                raise UserError(
                    f"data.mean and data.std must have one value for each of the {pixels.shape[0]} channels, "
                    f"got {len(mean)} and {len(std)}"
                )
            return mean, std
    mean, std = pixels.mean_and_std()
    if 0 in std:
        channel = std.index(0)
        raise UserError(
            f"data.source must give channels that vary, but channel {channel} of the training images is "
            f"{mean[channel]:g} everywhere, or nearly: leave it out, or give images of values from 0 to 1"
        )
    return mean, std
