import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from nasray.exporting.check import TOLERANCE, check_export
from nasray.trainables.data.image_data import load_data
from nasray.trainables.settings.data import DataConfig

MODEL = """
from pathlib import Path

import torch
from safetensors.torch import load_file


def load(folder):
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    network.load_state_dict(load_file(folder / "weights.safetensors"))
    return network.eval()
"""


@pytest.fixture(scope="module")
def held_out():
    return load_data(DataConfig(source="digits", num_held_out_images=300), seed=0).held_out


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).eval()


@pytest.fixture
def folder(tmp_path, network):
    """An exported folder."""
    (tmp_path / "model.py").write_text(MODEL)
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    return tmp_path


def share_right(network, held_out):
    logits = network(held_out.images(range(len(held_out))))
    return float((logits.argmax(1) == held_out.labels(range(len(held_out)))).float().mean())


def test_an_export_that_agrees(folder, network, held_out):
    checked = check_export(folder, network, held_out, share_right(network, held_out))
    assert checked.num_images == 256
    assert checked.difference <= TOLERANCE
    assert checked.accuracy == pytest.approx(share_right(network, held_out), abs=0.05)
    assert {path.name for path in folder.iterdir()} == {"model.py", "weights.safetensors"}


def test_changed_weights(folder, network, held_out):
    path = folder / "weights.safetensors"
    weights = load_file(path)
    weights["1.weight"][3, 30] += 0.01
    save_file(weights, path)
    with pytest.raises(ValueError, match=r"logits to 0\.0001 of the largest, got a difference of"):
        check_export(folder, network, held_out, share_right(network, held_out))
    weights["1.weight"][3, 30] = torch.nan
    save_file(weights, path)
    with pytest.raises(ValueError, match="difference of nan"):
        check_export(folder, network, held_out, share_right(network, held_out))


def test_a_file_cut_short(folder, network, held_out):
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"must load and run without nasray, but:\n(.*\n)*.*SafetensorError"):
        check_export(folder, network, held_out, share_right(network, held_out))


def test_a_file_that_needs_nasray(folder, network, held_out):
    (folder / "model.py").write_text(f"import nasray.search_spaces.operations.shipped\n{MODEL}")
    with pytest.raises(ValueError, match="No module named 'nasray"):
        check_export(folder, network, held_out, share_right(network, held_out))


def test_an_accuracy_that_is_not_the_recorded_one(folder, network, held_out):
    with pytest.raises(ValueError, match=r"must get about 97\.0% of the held-out images right"):
        check_export(folder, network, held_out, 0.97)
