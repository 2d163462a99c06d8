import copy

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from nasray.trainables.data.pixels import Pixels
from nasray.trainables.data.split import Split
from nasray.trainables.data.transforms import augmentation, fitting, normalisation
from nasray.trainables.settings.data import AugmentConfig

IMAGES = torch.rand(30, 1, 6, 6, generator=torch.Generator().manual_seed(0))
LABELS = np.arange(30) % 7
FIT, NORMALISE = fitting(None, 1.0), normalisation([0.5], [0.5])
CROP = AugmentConfig(crop_padding=2, horizontal_flip=True, random_erasing=0.5)


def split(indices=range(23), *, images=IMAGES, config=CROP, seed=0):
    indices = np.array(indices)
    augment = config and augmentation(config, (6, 6), FIT, NORMALISE)
    pixels = Pixels(TensorDataset(images, torch.zeros(len(images))), indices, FIT, images[0])
    return Split("train", pixels, LABELS[indices], NORMALISE, augment=augment, seed=seed)


def numbers(batches):
    return [(images.numpy().tobytes(), labels.tolist()) for images, labels in batches]


def test_images_and_labels_at_positions():
    part = split([4, 8, 2])
    torch.testing.assert_close(part.images([2, 0]), (IMAGES[[2, 4]] - 0.5) / 0.5)
    assert part.labels(np.array([2, 0])).tolist() == [2, 4]


def test_the_augmentation_of_an_image_depends_on_its_view_and_seed_alone():
    part = split()
    whole = part.images(np.arange(23), view=3)
    torch.manual_seed(99)
    assert torch.equal(part.images([11, 5], view=3), whole[[11, 5]])
    assert torch.equal(split([5, 11]).images([1], view=3), whole[[11]])
    assert not torch.equal(part.images(np.arange(23), view=4), whole)
    assert not torch.equal(split(seed=1).images(np.arange(23), view=3), whole)


def test_augmenting_leaves_the_global_generator_alone():
    part = split()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    part.images([0, 1], view=0)
    list(part.batches(8, seed=0, epoch=0, shuffle=True, augment=True))
    assert torch.equal(torch.rand(3), expected)


def test_a_split_without_augmentation_gives_plain_images_in_every_view():
    part = split(config=None)
    assert torch.equal(part.images([3, 1], view=7), part.images([3, 1]))


def test_batches_are_one_pass_of_almost_equal_sizes():
    batches = list(split().batches(10, seed=0, epoch=0, shuffle=True, augment=False))
    assert [len(labels) for _, labels in batches] == [8, 8, 7]
    seen = torch.cat([images for images, _ in batches])
    assert torch.equal(
        seen.flatten(1).sort(dim=0).values, split().images(range(23)).flatten(1).sort(dim=0).values
    )


def test_unshuffled_batches_keep_the_order():
    images, labels = zip(*split().batches(4, seed=0, epoch=2, shuffle=False, augment=False), strict=True)
    assert torch.equal(torch.cat(images), split().images(range(23)))
    assert torch.cat(labels).tolist() == LABELS[:23].tolist()


def test_order_and_augmentation_follow_from_seed_and_epoch_whatever_the_workers():
    def run(seed=0, epoch=1, num_workers=0):
        return numbers(
            split().batches(6, seed=seed, epoch=epoch, shuffle=True, augment=True, num_workers=num_workers)
        )

    alone = run()
    assert run() == alone
    assert run(num_workers=2) == alone
    assert run(epoch=2) != alone
    assert [labels for _, labels in run(seed=1)] != [labels for _, labels in alone]


def test_batches_of_nothing_are_refused():
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        split().batches(0, seed=0, epoch=0, shuffle=False, augment=False)


def test_the_fingerprint_tells_different_content_apart():
    changed = copy.deepcopy(IMAGES)
    changed[0, 0, 0, 0] += 0.1
    others = [
        split(range(22)),
        split([*range(22), 29]),
        split(images=changed),
        split(config=AugmentConfig(crop_padding=1)),
        split(config=None),
        split(seed=1),
    ]
    fingerprints = {split().fingerprint, *(other.fingerprint for other in others)}
    assert len(fingerprints) == 1 + len(others)
    assert split().fingerprint == split().fingerprint
    assert split(config=None, seed=1).fingerprint == split(config=None, seed=2).fingerprint
