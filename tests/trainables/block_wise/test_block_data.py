import numpy as np
import pytest
import torch

from nasray.trainables.block_wise.block_data import BlockData, OnlineSource
from nasray.trainables.data.image_data import load_data
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.settings.features import FeatureConfig

COMPUTE = ComputeConfig(device="cpu")


@pytest.fixture
def data(teacher):
    def build(block=1, views=None, *, augment=False, seed=0):
        config = DataConfig(
            num_train_images=50, num_held_out_images=21, augment={"crop_padding": 1} if augment else None
        )
        images = load_data(config, seed=0)
        return images, BlockData(
            images, OnlineSource(teacher, block, FeatureConfig(views=views), COMPUTE), COMPUTE, seed=seed
        )

    return build


def test_an_epoch_takes_every_image_once_in_an_order_of_its_own(data):
    _, block_data = data()
    epochs = [torch.cat([x for x, _ in block_data.train_batches(epoch, 16)]) for epoch in (0, 0, 1)]
    assert torch.equal(epochs[0], epochs[1])
    assert not torch.equal(epochs[0], epochs[2])
    sums = [epoch.flatten(1).sum(1).sort().values for epoch in epochs]
    torch.testing.assert_close(sums[0], sums[2])
    assert [len(x) for x, _ in block_data.train_batches(0, 16)] == [13, 13, 12, 12]


def test_pairs_are_the_teachers_features_before_and_after_the_block(data, teacher):
    images, block_data = data(block=2)
    before, after = block_data.held_out_batches(3)[1]
    with torch.no_grad():
        expected = teacher.features(images.held_out.images(np.arange(7, 14)), up_to=3)
    torch.testing.assert_close(before, expected[2])
    torch.testing.assert_close(after, expected[3])


def test_calibration_images_are_the_same_ones_at_every_call(data):
    _, block_data = data()
    first, second = (torch.cat(block_data.calibration_batches(20, 10)) for _ in range(2))
    assert len(first) == 20
    assert torch.equal(first, second)


def test_augmentation_is_fresh_in_every_epoch_or_as_many_views_as_asked_for(data):
    def inputs(views, epoch):
        _, block_data = data(block=0, views=views, augment=True)
        batches = [x for x, _ in block_data.train_batches(epoch, 50)]
        return batches[0].flatten(1).sum(0)  # does not depend on the order

    assert not torch.allclose(inputs(None, 0), inputs(None, 1))
    torch.testing.assert_close(inputs(2, 0), inputs(2, 2))
    assert not torch.allclose(inputs(2, 0), inputs(2, 1))
    torch.testing.assert_close(inputs(0, 0), inputs(0, 1))


def test_more_batches_than_held_out_images_is_an_error(data):
    _, block_data = data()
    with pytest.raises(ValueError, match="at most the number of held-out images, 21, got 22"):
        block_data.held_out_batches(22)


def test_spread_batches_take_their_images_from_all_over(data):
    _, block_data = data(block=2)
    batches = block_data.held_out_batches(4, spread=True)
    assert [len(before) for before, _ in batches] == [6, 5, 5, 5]
    neighbours = torch.cat([before for before, _ in block_data.held_out_batches(4)])
    for number, (before, _) in enumerate(batches):
        torch.testing.assert_close(before, neighbours[number::4])
