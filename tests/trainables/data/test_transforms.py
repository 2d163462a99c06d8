import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from nasray.trainables.data.transforms import augmentation, fitting, normalisation
from nasray.trainables.settings.data import AugmentConfig, RandAugmentConfig

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8))


def test_fitting_without_a_size_keeps_every_pixel():
    pixels = fitting(None, crop_fraction=1.0)(PHOTO)
    assert np.array_equal(pixels.permute(1, 2, 0).numpy(), np.asarray(PHOTO))


def test_fitting_resizes_the_shorter_side_and_crops_the_centre():
    stripes = np.zeros((20, 60, 3), dtype=np.uint8)
    stripes[:, 20:40] = 200
    whole_height = fitting(10, crop_fraction=1.0)(Image.fromarray(stripes))
    assert whole_height.shape == (3, 10, 10)
    assert whole_height.float().mean() > 180
    assert torch.all(fitting(10, crop_fraction=0.5)(Image.fromarray(stripes)) == 200)


def test_normalisation_of_bytes():
    images = normalisation([0.5], [0.25])(torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 3))
    torch.testing.assert_close(images.flatten(), torch.tensor([-2.0, -1.2, 2.0]))


@pytest.mark.parametrize(
    "config",
    [
        AugmentConfig(horizontal_flip=True),
        AugmentConfig(crop_padding=2),
        AugmentConfig(random_resized_crop=True),
        AugmentConfig(rand_augment=RandAugmentConfig()),
        AugmentConfig(color_jitter=0.4),
        AugmentConfig(random_erasing=1.0),
    ],
    ids=lambda config: next(iter(config.model_fields_set)),
)
def test_each_augmentation_changes_images_but_not_their_shape(config):
    fit, normalise = fitting(16, 1.0), normalisation([0.5] * 3, [0.25] * 3)
    augment = augmentation(config, (16, 16), fit, normalise)
    plain = normalise(fit(PHOTO))
    torch.manual_seed(0)
    changed = [augment(PHOTO) for _ in range(8)]
    assert all(image.shape == (3, 16, 16) and image.dtype == torch.float32 for image in changed)
    assert any(not torch.equal(image, plain) for image in changed)


def test_erased_pixels_are_the_mean():
    augment = augmentation(
        AugmentConfig(random_erasing=1.0), (16, 16), fitting(16, 1.0), normalisation([0.7] * 3, [0.2] * 3)
    )
    assert (augment(PHOTO) == 0).all(dim=0).sum() > 2


def test_no_augmentation_at_all_is_the_plain_image():
    fit, normalise = fitting(None, 1.0), normalisation([0.5] * 3, [0.25] * 3)
    assert torch.equal(augmentation(AugmentConfig(), (30, 50), fit, normalise)(PHOTO), normalise(fit(PHOTO)))


def test_rand_augment_takes_floats_and_keeps_their_range():
    """Digits are floats in 0..1."""
    digit = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(0))
    fit, keep = fitting(None, 1.0), normalisation([0.0], [1.0])
    torch.manual_seed(0)
    augment = augmentation(AugmentConfig(rand_augment=RandAugmentConfig(num_ops=3)), (8, 8), fit, keep)
    changed = [augment(digit) for _ in range(20)]
    assert all(image.min() >= 0 and image.max() <= 1 and image.dtype == torch.float32 for image in changed)
    assert sum(not torch.allclose(image, digit, atol=1 / 255) for image in changed) > 10


def test_rand_augment_of_other_channels_is_refused():
    augment = augmentation(
        AugmentConfig(rand_augment=RandAugmentConfig()),
        (8, 8),
        fitting(None, 1.0),
        normalisation([0.0], [1.0]),
    )
    with pytest.raises(ValueError, match="needs images of 1 or 3 channels, got 2"):
        augment(torch.rand(2, 8, 8))


def test_what_augments_is_told_without_addresses_in_memory():
    """A split's fingerprint hashes this text, which must be the same in every process."""
    config = AugmentConfig(rand_augment=RandAugmentConfig(num_ops=1, magnitude=4))
    text = str(augmentation(config, (8, 8), fitting(None, 1.0), normalisation([0.0], [1.0])))
    assert "0x" not in text
    assert "num_ops=1, magnitude=4" in text


@pytest.mark.parametrize("field", ["color_jitter", "random_erasing", "crop_padding"])
def test_values_out_of_range_are_refused(field):
    with pytest.raises(ValidationError, match=field):
        AugmentConfig(**{field: -1})


@pytest.mark.parametrize("settings", [{"num_ops": 0}, {"magnitude": 31}])
def test_rand_augment_has_limits(settings):
    with pytest.raises(ValidationError, match=next(iter(settings))):
        RandAugmentConfig(**settings)
