import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from trainables.transforms import AugmentConfig, augmentation, fitting, normalisation

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


@pytest.mark.parametrize("field", ["color_jitter", "random_erasing", "crop_padding"])
def test_values_out_of_range_are_refused(field):
    with pytest.raises(ValidationError, match=field):
        AugmentConfig(**{field: -1})
