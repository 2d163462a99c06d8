"""The settings of a data set: which images are used, how many of them, and how they are prepared."""

import math
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nasray.errors import UserError


class RandAugmentConfig(BaseModel):
    """RandAugment (Cubuk et al., arXiv 1909.13719): operations drawn at random, all of one strength.

    Attributes:
        num_ops: Operations that an image goes through, one after another.
        magnitude: Their strength, 0 to 30.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_ops: int = Field(default=2, ge=1)
    magnitude: int = Field(default=9, ge=0, le=30)


class AugmentConfig(BaseModel):
    """Random changes to training images.

    Attributes:
        horizontal_flip: Mirror half of the images.
        crop_padding: Crop at random from the image padded by so many black pixels on each side.
        random_resized_crop: Crop 8% to 100% of the stored image's area at random and resize it.
        rand_augment: Operations drawn at random, on images of 1 or 3 channels in 8 bits; None: none.
        color_jitter: Largest relative change of brightness, contrast and saturation.
        random_erasing: Share of the images in which a random rectangle is set to the mean.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    horizontal_flip: bool = False
    crop_padding: int = Field(default=0, ge=0)
    random_resized_crop: bool = False
    rand_augment: RandAugmentConfig | None = None
    color_jitter: float = Field(default=0.0, ge=0, le=1)
    random_erasing: float = Field(default=0.0, ge=0, le=1)


class DataConfig(BaseModel):
    """Which images are used, how many of them, and how they are prepared.

    Attributes:
        source: "digits", "fashion_mnist", "cifar10", "cifar100", "imagenet", or "module:function": a function
            that returns (train, validation), map-style data sets of (PIL image or tensor [C, H, W], integer
            label), and is given `root` where there is one. Its validation images are the test split.
        root: Folder of the data set's files.
        image_size: Height and width that images are resized and cropped to; None: the source's own.
        mean: Mean of each channel, for values in 0..1; None: the usual one of the data set, or measured.
        std: Standard deviation of each channel; None: like `mean`.
        held_out_fraction: Share of the training images that no training sees, kept for rating.
        num_train_images: Use only so many, chosen by the seed.
        num_held_out_images: Hold out so many, instead of a share.
        num_test_images: Use only so many, chosen by the seed.
        augment: Augmentation of the training images, and of held-out ones where a rating compares views of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = "digits"
    root: Path | None = None
    image_size: int | None = Field(default=None, ge=1, le=2048)
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    held_out_fraction: float = Field(default=0.1, gt=0, lt=1)
    num_train_images: int | None = Field(default=None, ge=1)
    num_held_out_images: int | None = Field(default=None, ge=1)
    num_test_images: int | None = Field(default=None, ge=1)
    augment: AugmentConfig | None = None

    @model_validator(mode="after")
    def _mean_and_std_go_together(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise UserError("mean and std must be given both or neither")
        if self.std is not None and not all(0 < value < math.inf for value in self.std):
            raise UserError(f"std must be finite and greater than 0 for each channel, got {list(self.std)}")
        if self.mean is not None and not all(map(math.isfinite, self.mean)):
            raise UserError(f"mean must be finite for each channel, got {list(self.mean)}")
        return self
