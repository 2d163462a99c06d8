import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, Subset, TensorDataset
from torchvision.datasets import ImageFolder

from nasray.errors import UserError
from nasray.trainables.data.identity import DataIdentity, sample_digest
from nasray.trainables.data.sources import ImageSource, open_source


def save_images(folder, classes, number, seed):
    rng = np.random.default_rng(seed)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for place in range(number):
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(
                folder / name / f"{place}.png"
            )


@pytest.fixture
def root(tmp_path):
    """A folder of 40 and 8 images of two classes: more than are looked at by a sample."""
    save_images(tmp_path / "first" / "train", "xz", 20, seed=0)
    save_images(tmp_path / "first" / "val", "xz", 4, seed=1)
    return tmp_path / "first"


def identity(root):
    return DataIdentity.of(open_source("imagenet", root))


def test_moving_a_folder_changes_nothing(root):
    before = identity(root)
    moved = shutil.move(root, root.with_name("second"))
    assert identity(moved) == before
    assert identity(moved).digest == before.digest
    assert before.changes(identity(moved)) == ""


def blacken_one(root):
    Image.new("RGB", (8, 8)).save(root / "train" / "z" / "7.png")


def remove_one(root):
    (root / "train" / "z" / "7.png").unlink()


def add_a_class(root):
    for half in ("train", "val"):
        shutil.copytree(root / half / "x", root / half / "a")


def exchange_names(root):
    one, other, third = (root / "train" / "x" / f"{name}.png" for name in (1, 2, "third"))
    one.rename(third)
    other.rename(one)
    third.rename(other)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (blacken_one, "images of train/z changed"),
        (remove_one, "train/z has 19 images instead of 20"),
        (add_a_class, "train/a, test/a were added"),
        (exchange_names, "images of train/x changed"),
    ],
)
def test_what_changed_is_named(root, change, told):
    before = identity(root)
    change(root)
    assert before.changes(identity(root)) == told
    assert identity(root).digest != before.digest


def test_long_lists_are_cut_short(root, tmp_path):
    save_images(tmp_path / "many" / "train", "abcdef", 1, seed=0)
    save_images(tmp_path / "many" / "val", "abcdef", 1, seed=0)
    assert identity(root).changes(identity(tmp_path / "many")) == (
        "train/a, train/b, train/c, train/d and 8 more were added; train/x, train/z, test/x, test/z are gone"
    )


def make(number=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return TensorDataset(torch.rand(number, 1, 4, 4, generator=generator), torch.arange(number) % 2)


def of(train, test=None):
    return DataIdentity.of(ImageSource(train, make(8) if test is None else test))


def test_every_tensor_counts():
    changed = make()
    changed.tensors[0][11] = 0
    assert of(make()).changes(of(changed)) == "images of train/1 changed"
    assert of(make()).changes(of(make(), make(8, seed=1))) == "images of test/0, test/1 changed"


def test_labels_and_types_count():
    relabelled = TensorDataset(make().tensors[0], 1 - make().tensors[1])
    assert of(make()).changes(of(relabelled)) == "images of train/0, train/1 changed"
    other_type = TensorDataset(make().tensors[0].double(), make().tensors[1])
    assert of(make()) != of(other_type)


def test_the_order_of_classes_counts():
    class Named(TensorDataset):
        classes = ("cat", "dog")

    swapped = Named(*(tensor.roll(1, 0) for tensor in make().tensors))
    swapped.classes = ("dog", "cat")
    named = of(Named(*make().tensors))
    assert list(named.parts) == ["train/cat", "train/dog", "test/0", "test/1"]
    assert named.changes(of(swapped)) != ""
    reordered = DataIdentity(parts=dict(reversed(named.parts.items())))
    assert named.changes(reordered) == "the order of the classes changed"


def test_a_subset_is_what_it_holds():
    assert of(Subset(make(), [3, 0])) == of(Subset(make(), [3, 0]))
    assert of(Subset(make(), [3, 0])) != of(Subset(make(), [3, 2]))


class Listed(Dataset):
    """What a user writes: nothing but items."""

    def __init__(self, dataset, change=lambda image: image):
        self.dataset, self.change = dataset, change

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, place):
        image, label = self.dataset[place]
        return self.change(image), int(label)


def test_all_items_of_a_users_data_set_are_read():
    changed = make()
    changed.tensors[0][11] = 0
    assert of(Listed(make())).changes(of(Listed(changed))) == "images of train/1 changed"
    assert of(Listed(make())) == of(Listed(make()))


def test_a_class_derived_from_one_of_files_is_read_item_by_item(root):
    class Half(ImageFolder):
        def __getitem__(self, place):
            image, label = super().__getitem__(place)
            return image.crop((0, 0, 4, 8)), label

    whole, half = ImageFolder(root / "train"), Half(root / "train")
    assert of(whole) != of(half)


def test_images_drawn_at_random_are_refused():
    with pytest.raises(
        ValueError, match=r"image 0 changes from one reading to the next: leave .* to data.augment"
    ):
        of(Listed(make(), lambda image: image + torch.rand(1)))


def test_an_image_that_is_no_number_is_named():
    images = make()
    images.tensors[0][11, 0, 1, 2] = torch.nan
    for dataset in (images, Listed(images)):
        with pytest.raises(UserError, match="image 11 of the training images has NaN or infinite"):
            of(dataset)


def test_a_file_that_is_cut_off_is_named(root):
    path = root / "train" / "z" / "7.png"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(
        UserError, match=r"first/train must hold whole files, but is damaged in 1 of 40: z/7\.png: "
    ):
        identity(root)


def test_a_data_set_that_grows_is_refused():
    class Growing(Listed):
        number = 8

        def __len__(self):
            self.number += 1
            return self.number

    with pytest.raises(
        UserError, match="a length that stays, but that of the training images was 9 and is 10"
    ):
        of(Growing(make()))


def test_a_version_stands_for_all_images():
    class Versioned(Listed):
        data_version = "2026-11"

        def __getitem__(self, place):
            assert place < 4, "not all of them are to be read"
            return super().__getitem__(place)

    before = of(Versioned(make()))
    assert before.changes(of(Versioned(make()))) == ""
    Versioned.data_version = "2026-12"
    assert before.changes(of(Versioned(make()))) == "images of train/all changed"


def test_a_sample_tells_other_images(root):
    source = ImageSource(make(), make(8))
    assert sample_digest(source) == sample_digest(ImageSource(make(), make(8)))
    assert sample_digest(source) != sample_digest(ImageSource(make(seed=1), make(8)))
    assert sample_digest(source) != sample_digest(ImageSource(make(), make(9)))


USER_MODULE = """
import numpy as np
import torch
from torch.utils.data import TensorDataset

def drawn():
    shift = float(np.random.rand())
    return tuple(TensorDataset(torch.rand(number, 1, 4, 4) + shift, torch.arange(number) % 2) for number in (20, 8))
"""


def test_what_a_users_function_draws_is_the_same_whenever_it_is_called(tmp_path, monkeypatch):
    (tmp_path / "drawing.py").write_text(USER_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = open_source("drawing:drawn", None)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert DataIdentity.of(first) == DataIdentity.of(open_source("drawing:drawn", None))
