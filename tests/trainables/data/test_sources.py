import gzip
import hashlib
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import CIFAR10, CIFAR100

from nasray.errors import UserError
from nasray.trainables.data.labels import labels_of
from nasray.trainables.data.sources import DEBIAN_FASHION_MNIST, open_source, sources_opened_once

RNG = np.random.default_rng(0)


def write_idx(path, array, compressed):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    content = header + array.tobytes()
    path.write_bytes(gzip.compress(content) if compressed else content)


def write_fashion_mnist(folder, suffix):
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for part, size in {"train": 12, "t10k": 5}.items():
        images = RNG.integers(0, 256, (size, 28, 28), dtype=np.uint8)
        labels = RNG.integers(0, 10, size, dtype=np.uint8)
        write_idx(folder / f"{part}-images-idx3-ubyte{suffix}", images, compressed=bool(suffix))
        write_idx(folder / f"{part}-labels-idx1-ubyte{suffix}", labels, compressed=bool(suffix))
        written[part] = images, labels
    return written


def test_digits_have_a_fixed_balanced_test_part():
    first, second = open_source("digits", None), open_source("digits", None)
    assert (len(first.train), len(first.test)) == (1437, 360)
    assert all(torch.equal(a, b) for a, b in zip(first.test.tensors, second.test.tensors, strict=True))
    assert np.bincount(labels_of(first.test, "training")).min() >= 34
    image, _ = first.train[0]
    assert image.shape == (1, 8, 8)
    assert 0 <= float(image.min()) < float(image.max()) <= 1


@pytest.mark.parametrize("suffix", [".gz", ""])
def test_fashion_mnist_is_read_packed_or_as_torchvision_keeps_it(tmp_path, suffix):
    written = write_fashion_mnist(tmp_path if suffix else tmp_path / "FashionMNIST" / "raw", suffix)
    source = open_source("fashion_mnist", tmp_path)
    for dataset, (images, labels) in zip((source.train, source.test), written.values(), strict=True):
        assert len(dataset) == len(images)
        assert np.array_equal(np.asarray(dataset[3][0]).squeeze(), images[3])
        assert labels_of(dataset, "training").tolist() == labels.tolist()


@pytest.mark.skipif(not DEBIAN_FASHION_MNIST.exists(), reason="needs Debian's dataset-fashion-mnist")
def test_fashion_mnist_of_debian_needs_no_root():
    source = open_source("fashion_mnist", None)
    assert (len(source.train), len(source.test)) == (60_000, 10_000)
    assert np.bincount(labels_of(source.train, "training")).tolist() == [6000] * 10


def write_cifar(dataset, root, label_key, monkeypatch):
    """Small files of CIFAR's form; torchvision's table of checksums is told theirs."""
    folder = root / dataset.base_folder
    folder.mkdir()
    written = {}

    def write(name, content):
        (folder / name).write_bytes(pickle.dumps(content))
        return hashlib.md5((folder / name).read_bytes()).hexdigest()

    for table in ("train_list", "test_list"):
        checksums = []
        for name, _ in getattr(dataset, table):
            images, labels = (
                RNG.integers(0, 256, (4, 3, 32, 32), dtype=np.uint8),
                RNG.integers(0, 10, 4).tolist(),
            )
            checksums.append([name, write(name, {"data": images.reshape(4, -1), label_key: labels})])
            written[name] = images, labels
        monkeypatch.setattr(dataset, table, checksums)
    meta = write(dataset.meta["filename"], {dataset.meta["key"]: [str(label) for label in range(10)]})
    monkeypatch.setattr(dataset, "meta", {**dataset.meta, "md5": meta})
    return written


def test_cifar10(tmp_path, monkeypatch):
    written = write_cifar(CIFAR10, tmp_path, "labels", monkeypatch)
    source = open_source("cifar10", tmp_path)
    images, labels = written["data_batch_2"]
    assert (len(source.train), len(source.test)) == (20, 4)
    assert np.array_equal(np.asarray(source.train[5][0]), images[1].transpose(1, 2, 0))
    assert source.train[5][1] == labels[1]
    assert labels_of(source.test, "training").tolist() == written["test_batch"][1]


def test_cifar100(tmp_path, monkeypatch):
    written = write_cifar(CIFAR100, tmp_path, "fine_labels", monkeypatch)
    source = open_source("cifar100", tmp_path)
    images, labels = written["train"]
    assert np.array_equal(np.asarray(source.train[3][0]), images[3].transpose(1, 2, 0))
    assert labels_of(source.train, "training").tolist() == labels


def test_damaged_cifar_files_are_refused(tmp_path, monkeypatch):
    write_cifar(CIFAR10, tmp_path, "labels", monkeypatch)
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").write_bytes(b"cut off")
    with pytest.raises(ValueError, match=r"cifar-10-batches-py.*damaged"):
        open_source("cifar10", tmp_path)


def write_imagenet(root, classes=("n01440764", "n01443537", "n01484850")):
    for part, num_images in {"train": 4, "val": 2}.items():
        for label, wnid in enumerate(classes):
            (root / part / wnid).mkdir(parents=True)
            for number in range(num_images):
                pixels = np.full((40 + number, 60, 3), 80 * label, dtype=np.uint8)
                Image.fromarray(pixels).save(root / part / wnid / f"{wnid}_{number}.JPEG")


def test_imagenet_labels_are_the_sorted_class_folders(tmp_path):
    write_imagenet(tmp_path)
    source = open_source("imagenet", tmp_path)
    assert labels_of(source.train, "training").tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert labels_of(source.test, "training").tolist() == [0, 0, 1, 1, 2, 2]
    image, label = source.train[8]
    assert (image.size, label) == ((60, 40), 2)
    assert abs(int(np.asarray(image).mean()) - 160) <= 2


def test_imagenet_with_other_classes_for_validation_is_refused(tmp_path):
    write_imagenet(tmp_path)
    (tmp_path / "val" / "n01484850").rename(tmp_path / "val" / "n09999999")
    with pytest.raises(ValueError, match=r"same class folders.*n01484850.*n09999999"):
        open_source("imagenet", tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fashion_mnist", "FashionMNIST/raw.*dataset-fashion-mnist"),
        ("cifar10", "cifar-10-batches-py/{data_batch_1..5,test_batch"),
        ("cifar100", "cifar-100-python/{train,test,meta}"),
        ("imagenet", "train/<class>/.*JPEG and .*/val/<class>"),
    ],
)
def test_missing_files_are_named(tmp_path, name, expected):
    with pytest.raises(ValueError, match=expected):
        open_source(name, tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "imagenet"])
def test_a_root_is_asked_for(name):
    with pytest.raises(ValueError, match=f"data.root must be the folder of {name}"):
        open_source(name, None)


def test_an_unknown_source_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"digits, fashion_mnist, cifar10.*got 'cifar'"):
        open_source("cifar", None)


USER_MODULE = """
NAME = "pictures"
import torch
from torch.utils.data import IterableDataset, TensorDataset, random_split

def make(num_images):
    return TensorDataset(torch.rand(num_images, 3, 6, 6), torch.arange(num_images) % 4)

def pair(root=None):
    return make(8 if root is None else 9), make(5)

def single():
    return make(8)

def three():
    return make(8), make(5), make(5)

def empty():
    return make(8), make(0)

class Stream(IterableDataset):
    def __iter__(self):
        yield from make(3)

def streams():
    return Stream(), Stream()

def split():
    return random_split(make(10), [7, 3])

def float_labels():
    labelled = TensorDataset(torch.rand(4, 3, 6, 6), torch.rand(4))
    return labelled, labelled

class Broken(TensorDataset):
    def __getitem__(self, index):
        return {}["a"]

def broken():
    data = Broken(torch.rand(4, 3, 6, 6), torch.arange(4))
    return data, data

def flat():
    flattened = TensorDataset(torch.rand(4, 108), torch.arange(4))
    return flattened, flattened
"""


@pytest.fixture
def user_module(tmp_path, monkeypatch):
    (tmp_path / "my_pictures.py").write_text(USER_MODULE)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("user_module")
def test_a_function_gives_the_images_and_gets_the_root(tmp_path):
    source = open_source("my_pictures:pair", None)
    assert (len(source.train), len(source.test)) == (8, 5)
    assert labels_of(source.train, "training").tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert len(open_source("my_pictures:pair", tmp_path).train) == 9
    assert len(open_source("my_pictures:split", None).test) == 3


@pytest.mark.usefixtures("user_module")
@pytest.mark.parametrize("name", ["single", "three", "empty", "streams", "float_labels", "flat"])
def test_a_function_that_gives_something_else_is_refused(name):
    with pytest.raises(ValueError, match=f"my_pictures:{name} must return \\(train, validation\\)"):
        open_source(f"my_pictures:{name}", None)


@pytest.mark.usefixtures("user_module")
def test_what_is_named_must_be_a_function():
    with pytest.raises(ValueError, match="my_pictures:NAME must be a function, got str"):
        open_source("my_pictures:NAME", None)


@pytest.mark.usefixtures("user_module")
def test_a_data_set_that_fails_at_once_is_told_as_the_users_own(tmp_path):
    with pytest.raises(
        UserError, match=r"data\.source must give .*first item: KeyError: 'a' .*my_pictures\.py, line"
    ):
        open_source("my_pictures:broken", None)


def test_within_a_comparison_a_data_set_is_opened_once():
    with sources_opened_once():
        first = open_source("digits", None)
        assert open_source("digits", None) is first
    assert open_source("digits", None) is not first
