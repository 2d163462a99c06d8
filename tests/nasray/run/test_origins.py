import os
import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from nasray.experiment import search
from nasray.inputs.shared import unit_inputs
from nasray.planning.plan import plan_search
from nasray.planning.resolve import resolve
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config
from nasray.trainables.core.weights import save_weights
from nasray.trainables.teacher.teacher import build_teacher
from nasray.views.summary import print_dry_run

OPERATION = """
from torch import nn
from own_sizes import SIZE

def own(in_channels, out_channels, stride):
    return nn.Conv2d(in_channels, out_channels, SIZE, stride, SIZE // 2)
"""


def save_images(root, seed):
    rng = np.random.default_rng(seed)
    for half, number in (("train", 30), ("val", 4)):
        for name in "xyz":
            (root / half / name).mkdir(parents=True)
            for place in range(number):
                pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / half / name / f"{place}.png")


@pytest.fixture
def config(tiny, tmp_path):
    """A config of a search of images in files."""
    save_images(tmp_path / "A", seed=0)
    data = {"source": "imagenet", "root": str(tmp_path / "A"), "image_size": 16, "num_held_out_images": 20}
    return lambda **changes: tiny(data=data | changes.pop("data", {}), **changes)


def claimed(plain):
    """The folder of a config's run, as a launch begins it."""
    config = load_config(plain)
    folder = RunFolder.of(config)
    resolved, inputs = resolve(config, folder)
    folder.claim(resolved, inputs, {})
    return folder


def test_a_folder_of_other_images_is_refused_wherever_they_are_used(config, tmp_path):
    folder = claimed(config())
    Image.new("RGB", (16, 16)).save(tmp_path / "A" / "train" / "y" / "17.png")
    message = (
        r"was computed from other data than data.source and data.root name now: images of train/y changed\. "
        r"Search under a name of its own \(name=\.\.\.\), or bring the data back"
    )
    with pytest.raises(ValueError, match=message):
        search(config())
    with pytest.raises(ValueError, match=message):
        print_dry_run(config(), [], Console(quiet=True))
    with pytest.raises(ValueError, match=message):
        unit_inputs(folder.reopen(), folder)  # as all later commands begin
    shutil.rmtree(folder.path)
    claimed(config())


def test_the_root_of_other_data_does_not_get_into_the_config(config, tmp_path):
    folder = claimed(config())
    save_images(tmp_path / "B", seed=1)
    with pytest.raises(ValueError, match="images of train/x, train/y, train/z, test/x and 2 more changed"):
        search(config(data={"root": str(tmp_path / "B")}))
    assert str(folder.read_config().data.root) == str(tmp_path / "A")


def test_a_folder_of_images_may_be_moved(config, tmp_path):
    folder = claimed(config())
    before = [unit.spec.fingerprint for unit in units(config())]
    (tmp_path / "A").rename(tmp_path / "moved")
    moved = config(data={"root": str(tmp_path / "moved")})
    assert claimed(moved).path == folder.path
    assert [unit.spec.fingerprint for unit in units(moved)] == before


def units(plain):
    config = load_config(plain)
    folder = RunFolder.of(config)
    resolved, inputs = resolve(config, folder)
    return [unit for stage in plan_search(resolved, folder, inputs).values() for unit in stage]


def test_every_unit_and_table_belongs_to_every_image(config, tmp_path):
    before = units(config(name="one"))
    Image.new("RGB", (16, 16)).save(tmp_path / "A" / "val" / "y" / "2.png")
    after = units(config(name="one"))
    assert len(before) == len(after) > 4
    assert not {one.spec.fingerprint for one in before} & {one.spec.fingerprint for one in after}


def test_another_checkpoint_under_the_same_name_is_refused(tiny, tmp_path):
    path = tmp_path / "teacher.safetensors"
    plain = tiny(teacher={"source": "largest", "weights": str(path), "allow_chance": True})

    def save(seed):
        torch.manual_seed(seed)
        loaded = load_config(tiny())
        inputs = unit_inputs(loaded, RunFolder.of(loaded))
        save_weights(build_teacher(inputs.teacher, inputs.space), path)

    save(0)
    claimed(plain)
    claimed(plain)
    save(1)
    with pytest.raises(ValueError, match="was computed from another checkpoint"):
        claimed(plain)


@pytest.fixture
def own_operation(tiny, tmp_path, monkeypatch):
    """A config with an operation of the user's own, whose module imports another one of theirs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_origin_operation.py").write_text(OPERATION.replace("own_sizes", "own_origin_sizes"))
    (tmp_path / "own_origin_sizes.py").write_text("SIZE = 3\n")
    space = tiny()["search_space"] | {"operations": {"own": "own_origin_operation:own"}}
    return tiny(search_space=space)


def test_a_module_that_a_users_module_imports_is_part_of_every_result(own_operation, tmp_path):
    folder = claimed(own_operation)
    before = units(own_operation)
    (tmp_path / "own_origin_sizes.py").write_text("SIZE = 5\n")
    assert not {one.spec.fingerprint for one in before} & {
        one.spec.fingerprint for one in units(own_operation)
    }
    resolved, inputs = resolve(load_config(own_operation), folder)
    assert folder.claim(resolved, inputs, {}) == ["own_origin_sizes"]
    assert folder.claim(resolved, inputs, {}) == []


def test_a_run_that_does_not_tell_its_data_is_refused(config):
    folder = claimed(config())
    written = folder.origins.read_text()
    folder.origins.write_text(written[:-20])
    with pytest.raises(ValueError, match=re.escape(f"{folder.origins} must tell which data")):
        search(config())
    folder.origins.unlink()
    with pytest.raises(
        ValueError, match="must be a run of version 2 of its schema, but is of an earlier version"
    ):
        search(config())


def test_a_run_of_another_schema_is_refused_in_a_sentence(config, tmp_path):
    folder = claimed(config())
    folder.origins.write_text(
        folder.origins.read_text().replace('"schema_version": 2', '"schema_version": 3')
    )
    with pytest.raises(
        ValueError, match="must be a run of version 2 of its schema, but is of version 3 of its"
    ):
        search(config())
    # An older config has sections that are gone.
    folder.origins.unlink()
    folder.config.write_text(folder.config.read_text() + "study: null\nfamily: null\n")
    with pytest.raises(
        ValueError, match="an earlier version of nasray: read it by the nasray that made it"
    ) as told:
        folder.read_config()
    assert "\n" not in str(told.value)


DRAWING = """
import numpy as np
import torch
from torch.utils.data import TensorDataset

def drawn():
    rng = np.random.default_rng()
    return tuple(
        TensorDataset(torch.from_numpy(rng.random((n, 1, 16, 16), np.float32)), torch.arange(n) % 3) for n in (90, 12)
    )
"""


def test_data_that_each_process_draws_anew_are_not_trained_on(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "drawn_anew.py").write_text(DRAWING)
    plain = tiny(data={"source": "drawn_anew:drawn", "num_held_out_images": 20})
    inputs = unit_inputs(load_config(plain), RunFolder.of(load_config(plain)))
    elsewhere = type(inputs).model_validate(inputs.model_dump())
    with pytest.raises(ValueError, match="must give the same images in every process and on every node"):
        _ = elsewhere.images
