import errno

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, Subset

from nasray.errors import UserError
from nasray.trainables.data.items import read_image, read_item

COLOURS = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
PICTURE = Image.fromarray(COLOURS)


class Items(Dataset):
    def __init__(self, *images, error=None):
        self.images, self.error = images, error

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        if self.error is not None:
            raise self.error
        return self.images[index], 1


def stored(image):
    return read_image(Items(image), 0, "training")


def test_an_item_that_cannot_be_read_is_named_with_the_place_in_the_users_code():
    dataset = Subset(Items(1, 2, 3, error=OSError("broken data stream")), [2, 1])
    with pytest.raises(
        UserError,
        match=r"image 1 of the test images cannot be read: OSError: broken data .*test_items\.py, line",
    ):
        read_item(dataset, 1, "test")


def test_a_file_is_named_where_it_is_known():
    dataset = Items(1, 2, error=SyntaxError("broken PNG file"))
    dataset.samples = [("a/0.png", 0), ("b/1.png", 1)]
    with pytest.raises(
        UserError, match=r"image 0 of the training images \(b/1\.png\) cannot be read: SyntaxError"
    ):
        read_item(Subset(dataset, [1]), 0, "training")


def test_an_error_of_the_disk_stays_one_that_may_pass():
    with pytest.raises(OSError, match="Input/output error"):
        read_item(Items(1, error=OSError(errno.EIO, "Input/output error")), 0, "training")


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_pixel_that_is_no_number_is_refused(value):
    image = torch.rand(3, 4, 5)
    image[1, 2, 3] = value
    with pytest.raises(UserError, match="image 0 of the training images has NaN or infinite"):
        stored(image)


def test_a_palettes_colours_take_the_place_of_its_numbers():
    assert np.array_equal(stored(PICTURE.quantize(256)), COLOURS)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_an_alpha_that_hides_nothing_is_left_out(mode):
    picture = PICTURE.convert(mode)
    assert np.array_equal(stored(picture.convert(f"{mode}A")), picture)


def test_transparent_pixels_are_refused():
    with pytest.raises(
        UserError, match="image 0 of the training images has some: put it before a background"
    ):
        stored(Image.fromarray(np.dstack([COLOURS, COLOURS[:, :, :1]])))


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_plain_pictures_stay_as_they_are(mode):
    picture = PICTURE.convert(mode)
    assert stored(picture) is picture


def test_sixteen_bits_stay_sixteen():
    wide = COLOURS[:, :, 0].astype(np.uint16) * 257
    assert np.array_equal(stored(Image.fromarray(wide)), wide)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_of_no_known_range_are_refused(mode):
    with pytest.raises(UserError, match=f"image 0 of the training images is of mode '{mode}': give a tensor"):
        stored(PICTURE.convert("L").convert(mode))


def test_integers_that_no_pixel_fills_are_refused():
    with pytest.raises(UserError, match=r"is of int64, .*\.to\(torch\.uint8\)"):
        stored(torch.from_numpy(COLOURS).long())
