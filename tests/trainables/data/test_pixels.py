import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, TensorDataset

from nasray.trainables.data import pixels as module
from nasray.trainables.data.pixels import Pixels
from nasray.trainables.data.transforms import fitting

BYTES = torch.randint(0, 256, (12, 3, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
AS_THEY_ARE = fitting(None, 1.0)


class Counting(Dataset):
    """Counts how often an image is read."""

    def __init__(self, images):
        self.images, self.reads = images, 0

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        self.reads += 1
        return self.images[index], 0


def test_pixels_are_those_at_the_indices_in_the_order_asked_for():
    pixels = Pixels(TensorDataset(BYTES, torch.zeros(12)), np.array([7, 2, 9]), AS_THEY_ARE, BYTES[0])
    assert (len(pixels), pixels.shape) == (3, (3, 4, 5))
    assert torch.equal(pixels[np.array([2, 0, 2])], BYTES[[9, 7, 9]])


@pytest.mark.parametrize(("limit", "reads"), [(BYTES.nbytes, 12), (BYTES.nbytes - 1, 36)])
def test_what_fits_in_memory_is_read_once(monkeypatch, limit, reads):
    monkeypatch.setattr(module, "MEMORY_LIMIT_BYTES", limit)
    dataset = Counting(BYTES)
    pixels = Pixels(dataset, np.arange(12), AS_THEY_ARE, BYTES[0])
    for _ in range(3):
        assert torch.equal(pixels[np.arange(12)], BYTES)
    assert dataset.reads == reads


def test_mean_and_std_are_those_of_each_channel():
    chosen = np.array([1, 3, 4, 8])
    mean, std = Pixels(TensorDataset(BYTES, torch.zeros(12)), chosen, AS_THEY_ARE, BYTES[0]).mean_and_std()
    values = BYTES[chosen].double() / 255
    np.testing.assert_allclose(mean, values.mean((0, 2, 3)), atol=6e-5)
    np.testing.assert_allclose(std, values.std((0, 2, 3), correction=0), atol=6e-5)


@pytest.mark.parametrize(
    ("odd", "named"),
    [(torch.zeros(3, 4, 6, dtype=torch.uint8), r"uint8 \(3, 4, 6\)"), (BYTES[0] / 255, "float32")],
)
def test_an_image_unlike_the_first_is_named(odd, named):
    dataset = Counting([BYTES[0], BYTES[1], odd])
    pixels = Pixels(dataset, np.array([0, 2]), AS_THEY_ARE, BYTES[0])
    with pytest.raises(
        ValueError,
        match=rf"uint8 \(3, 4, 5\) like the first one, but image 2 of the training images is {named}",
    ):
        pixels[np.array([0, 1])]
