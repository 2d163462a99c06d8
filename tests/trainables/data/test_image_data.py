import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from nasray.errors import UserError
from nasray.trainables.data.image_data import load_data
from nasray.trainables.settings.data import AugmentConfig, DataConfig


def contents(split):
    return {image.numpy().tobytes() for image in split.images(range(len(split)))}


def test_digits_in_three_disjoint_splits():
    data = load_data(DataConfig(), seed=0)
    assert (data.input_shape, data.num_classes) == ((1, 8, 8), 10)
    assert [len(data.train), len(data.held_out), len(data.test)] == [1293, 144, 360]
    assert [data.train.name, data.held_out.name, data.test.name] == ["train", "held_out", "test"]
    assert len(contents(data.train) | contents(data.held_out) | contents(data.test)) == 1797


def test_the_seed_decides_what_is_held_out_and_never_touches_the_test_images():
    first, again, other = (load_data(DataConfig(), seed) for seed in (0, 0, 1))
    assert first.train.fingerprint == again.train.fingerprint
    assert first.held_out.fingerprint == again.held_out.fingerprint
    assert first.held_out.labels(range(144)).tolist() != other.held_out.labels(range(144)).tolist()
    assert torch.equal(first.test.labels(range(360)), other.test.labels(range(360)))


def test_training_images_are_normalised_by_their_own_statistics():
    images = load_data(DataConfig(), seed=0).train.images(range(1293))
    assert images.dtype == torch.float32
    assert abs(float(images.mean())) < 1e-3
    assert abs(float(images.std()) - 1) < 1e-3


def test_given_statistics_go_before_measured_ones():
    plain = load_data(DataConfig(mean=(0.0,), std=(1.0,)), seed=0).train.images(range(50))
    assert (float(plain.min()), float(plain.max())) == (0.0, 1.0)


def test_fewer_images():
    config = DataConfig(num_train_images=40, num_held_out_images=20, num_test_images=30)
    few, all_images = load_data(config, seed=3), load_data(DataConfig(mean=(0.0,), std=(1.0,)), seed=3)
    assert [len(few.train), len(few.held_out), len(few.test)] == [40, 20, 30]
    assert len(all_images.train) == 1293
    assert np.unique(few.test.labels(range(30))).size > 5


def test_held_out_images_do_not_depend_on_how_many_are_trained_on():
    config = DataConfig(mean=(0.0,), std=(1.0,))
    few = load_data(config.model_copy(update={"num_train_images": 40}), seed=3)
    assert few.held_out.fingerprint == load_data(config, seed=3).held_out.fingerprint


def test_images_are_augmented_in_views_and_those_of_the_test_never():
    data = load_data(DataConfig(augment=AugmentConfig(crop_padding=1)), seed=0)
    for split in (data.train, data.held_out):
        assert not torch.equal(split.images(range(9), view=0), split.images(range(9)))
    assert torch.equal(data.test.images(range(9), view=0), data.test.images(range(9)))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"num_train_images": 1400}, "1437 training images, too few to train on 1400 and hold out 144"),
        ({"num_held_out_images": 1437}, "too few to train on 1 and hold out 1437"),
        ({"num_test_images": 361}, "num_test_images must be at most 360, got 361"),
        ({"mean": (0.1, 0.2), "std": (1.0, 1.0)}, "each of the 1 channels, got 2 and 2"),
        ({"source": "mnist"}, "data.source must be one of digits"),
    ],
)
def test_what_the_data_cannot_give_is_refused(asked, message):
    with pytest.raises(ValueError, match=message):
        load_data(DataConfig(**asked), seed=0)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"held_out_fraction": 0.0}, "held_out_fraction"),
        ({"held_out_fraction": 1.0}, "held_out_fraction"),
        ({"num_train_images": 0}, "num_train_images"),
        ({"image_size": 0}, "image_size"),
        ({"mean": (0.5,), "std": (0.0,)}, "std must be finite and greater than 0"),
        ({"mean": (float("nan"),), "std": (1.0,)}, "mean must be finite"),
        ({"mean": (0.5,)}, "mean and std must be given both or neither"),
        ({"augmentation": {}}, "augmentation"),
    ],
)
def test_configs_that_say_nonsense_are_refused(fields, named):
    with pytest.raises(ValidationError, match=named):
        DataConfig(**fields)


@pytest.fixture
def imagenet(tmp_path):
    rng = np.random.default_rng(0)
    for part, num_images in {"train": 6, "val": 2}.items():
        for wnid in ("n01440764", "n01443537"):
            (tmp_path / part / wnid).mkdir(parents=True)
            for number in range(num_images):
                pixels = rng.integers(0, 256, (60 + 9 * number, 80, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / part / wnid / f"{wnid}_{number}.JPEG")
    return tmp_path


def test_imagenet_is_fitted_to_its_usual_size(imagenet):
    config = DataConfig(
        source="imagenet",
        root=imagenet,
        held_out_fraction=0.25,
        augment=AugmentConfig(random_resized_crop=True),
    )
    data = load_data(config, seed=0)
    assert (data.input_shape, data.num_classes) == ((3, 224, 224), 2)
    assert [len(data.train), len(data.held_out), len(data.test)] == [9, 3, 4]
    assert data.train.images([0, 8]).shape == data.train.images([0, 8], view=0).shape == (2, 3, 224, 224)


def test_image_size_overrides_the_usual_one(imagenet):
    data = load_data(DataConfig(source="imagenet", root=imagenet, image_size=32), seed=0)
    assert data.input_shape == (3, 32, 32)
    assert data.test.images(range(4)).shape == (4, 3, 32, 32)


USER_MODULE = """
import torch
from torch.utils.data import TensorDataset

def images(size=9):
    make = lambda number: TensorDataset(torch.rand(number, 2, size, size), torch.arange(number) % 5)
    return make(50), make(10)

def constant():
    for part in (parts := images()):
        part.tensors[0][:, 1] = 0.3
    return parts

def mixed():
    return images()[0], images(size=7)[1]
"""


@pytest.fixture
def user_module(tmp_path, monkeypatch):
    (tmp_path / "my_images.py").write_text(USER_MODULE)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("user_module")
def test_images_of_a_users_function():
    data = load_data(DataConfig(source="my_images:images"), seed=0)
    assert (data.input_shape, data.num_classes) == ((2, 9, 9), 5)
    assert [len(data.train), len(data.held_out), len(data.test)] == [45, 5, 10]


@pytest.mark.usefixtures("user_module")
def test_a_channel_that_does_not_vary_is_refused():
    with pytest.raises(
        UserError, match=r"channel 1 of the training images is 0\.3 everywhere, or nearly: leave it out"
    ):
        load_data(DataConfig(source="my_images:constant"), seed=0)


@pytest.mark.usefixtures("user_module")
def test_images_of_two_sizes_are_refused_or_brought_to_one():
    with pytest.raises(ValueError, match=r"set data\.image_size"):
        load_data(DataConfig(source="my_images:mixed"), seed=0).test.images([0])
    data = load_data(DataConfig(source="my_images:mixed", image_size=8), seed=0)
    assert data.test.images([0]).shape == data.train.images([0]).shape == (1, 2, 8, 8)
