"""The preprocessing of a stored image for an exported network."""

from dataclasses import dataclass

from nasray.trainables.data.image_data import ImageData


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What a network takes, and what it tells apart.

    Attributes:
        input_shape: The images, (C, H, W).
        num_classes: Number of classes.
        mean: Mean of each channel, for values in 0..1.
        std: Standard deviation of each channel.
    """

    input_shape: tuple[int, int, int]
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


def preprocessing_of(images: ImageData) -> Preprocessing:
    """What the networks that were trained on these images take."""
    return Preprocessing(images.input_shape, images.num_classes, images.mean, images.std)
