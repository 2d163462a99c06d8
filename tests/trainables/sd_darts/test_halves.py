import numpy as np
import torch

from nasray.trainables.data.image_data import load_data
from nasray.trainables.sd_darts.halves import Halves
from nasray.trainables.settings.data import AugmentConfig, DataConfig


def all_batches(halves, epoch, batch_size=20):
    pairs = list(halves.batches(epoch, batch_size))
    return [[pair[side] for pair in pairs] for side in (0, 1)]


def as_set(images):
    return {image.numpy().tobytes() for image in images}


def test_every_image_is_in_one_half(halves, images):
    assert (halves.num_train, halves.num_val) == (48, 47)
    both = [torch.cat([batch.images for batch in half]) for half in all_batches(halves, 0)]
    everything = images.train.images(range(95))
    assert as_set(torch.cat(both)) == as_set(everything)
    assert sorted(map(len, both)) == [47, 48]
    assert not as_set(both[0]) & as_set(both[1])


def test_an_epoch_has_every_image_of_a_half_once_in_an_order_of_its_own(halves):
    orders = []
    for epoch in (0, 1):
        for half, size in zip(all_batches(halves, epoch), (48, 47), strict=True):
            rows = torch.cat([batch.rows for batch in half])
            assert sorted(rows.tolist()) == list(range(size))
            assert max(len(batch.rows) for batch in half) <= 20
            orders.append(rows.tolist())
    assert orders[0] != orders[2]
    assert orders[1] != orders[3]


def test_pairs_are_of_almost_equal_size(images, compute):
    for batch_size in (2, 7, 48, 1000):
        pairs = list(Halves(images, compute, seed=0).batches(3, batch_size))
        assert len(pairs) == -(-48 // batch_size)
        sizes = np.array([[len(batch.rows) for batch in pair] for pair in pairs])
        assert np.ptp(sizes, axis=0).max() <= 1
        assert sizes.min() >= 1


def test_rows_name_the_same_images_in_every_epoch(halves):
    seen = {}
    for epoch in range(3):
        for side, half in enumerate(all_batches(halves, epoch)):
            for batch in half:
                for row, image, label in zip(batch.rows.tolist(), batch.images, batch.labels, strict=True):
                    kept = seen.setdefault((side, row), (image, label))
                    assert torch.equal(kept[0], image)
                    assert kept[1] == label


def test_labels_belong_to_their_images(halves, images):
    labels = {
        image.numpy().tobytes(): int(label)
        for image, label in zip(images.train.images(range(95)), images.train.labels(range(95)), strict=True)
    }
    for half in all_batches(halves, 0):
        for batch in half:
            assert [labels[image.numpy().tobytes()] for image in batch.images] == batch.labels.tolist()


def test_the_same_seed_gives_the_same_batches(images, compute):
    first, second, other = (all_batches(Halves(images, compute, seed=seed), 2) for seed in (0, 0, 1))
    for one, two in zip(first[0] + first[1], second[0] + second[1], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert as_set(torch.cat([b.images for b in first[0]])) != as_set(torch.cat([b.images for b in other[0]]))


def test_fixed_images_are_the_first_rows_and_not_augmented(compute):
    augmented = load_data(
        DataConfig(num_train_images=40, num_held_out_images=10, augment=AugmentConfig(crop_padding=2)), seed=0
    )
    plain = load_data(DataConfig(num_train_images=40, num_held_out_images=10), seed=0)
    halves, without = (Halves(images, compute, seed=0) for images in (augmented, plain))
    state = torch.get_rng_state()
    for half in ("train", "val"):
        fixed = halves.fixed(half, 8)
        assert fixed.rows.tolist() == list(range(8))
        assert torch.equal(fixed.images, without.fixed(half, 8).images)
        assert len(halves.fixed(half, 1000).rows) == 20
    views = [
        torch.cat([b.images[b.rows.argsort()] for b in all_batches(halves, e, 100)[0]]) for e in (0, 0, 1)
    ]
    assert torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])
    assert torch.equal(torch.get_rng_state(), state)
