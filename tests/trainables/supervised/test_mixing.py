import pytest
import torch

from nasray.trainables.data.image_data import load_data
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.settings.training import TrainConfig
from nasray.trainables.supervised.mixing import mixing


@pytest.fixture(scope="module")
def batch():
    images = load_data(DataConfig(num_train_images=64), seed=0).train
    return images.images(range(32)), images.labels(range(32))


def test_nothing_is_mixed_by_default():
    assert mixing(TrainConfig(), 10) is None


def test_mixup_mixes_labels_as_images(batch):
    """Each image is the share s of itself and 1 - s of its neighbour, and so is its label."""
    torch.manual_seed(3)
    images, target = mixing(TrainConfig(mixup=1.0), 10)(*batch)
    plain, labels = batch
    one_hot = torch.nn.functional.one_hot(labels, 10).float()
    assert target.shape == (32, 10)
    alone = labels != labels.roll(1)
    share = float(target[alone].gather(1, labels[alone, None])[0])
    assert 0.01 < share < 0.99
    torch.testing.assert_close(images, share * plain + (1 - share) * plain.roll(1, 0))
    torch.testing.assert_close(target, share * one_hot + (1 - share) * one_hot.roll(1, 0))


def test_cutmix_weighs_labels_by_the_pixels_exchanged(batch):
    plain, labels = batch
    one_hot = torch.nn.functional.one_hot(labels, 10).float()
    numbered = torch.arange(32.0).view(32, 1, 1, 1).expand_as(plain)
    torch.manual_seed(1)
    images, target = mixing(TrainConfig(cutmix=1.0), 10)(numbered, labels)
    share = float((images == numbered).float().mean())
    assert 0.01 < share < 0.99
    assert torch.all((images == numbered) | (images == numbered.roll(1, 0)))
    torch.testing.assert_close(target, share * one_hot + (1 - share) * one_hot.roll(1, 0))


def test_each_batch_has_one_of_both(batch):
    plain, labels = batch
    ones = torch.arange(32.0).view(32, 1, 1, 1).expand_as(plain)
    mix = mixing(TrainConfig(mixup=1.0, cutmix=1.0), 10)
    torch.manual_seed(0)
    kinds = {bool(torch.all(mix(ones, labels)[0] % 1 == 0)) for _ in range(12)}
    assert kinds == {True, False}


def test_the_mixture_depends_on_the_global_generator_alone(batch):
    mix = mixing(TrainConfig(mixup=0.4, cutmix=1.0), 10)
    torch.manual_seed(7)
    first = mix(*batch)
    torch.manual_seed(7)
    again = mixing(TrainConfig(mixup=0.4, cutmix=1.0), 10)(*batch)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
