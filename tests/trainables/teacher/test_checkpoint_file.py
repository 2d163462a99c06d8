import argparse

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from nasray.errors import UserError
from nasray.trainables.teacher.checkpoint_file import read_tensors

WEIGHTS = {"a.weight": torch.arange(300.0), "b": torch.ones(2)}


def test_tensors_are_known_by_their_places(tmp_path):
    nested = {"model": WEIGHTS, "optimizer": {"state": {0: {"step": torch.ones(1)}}}, "epoch": 3, "best": {}}
    torch.save(nested | {"args": argparse.Namespace(lr=0.1)}, tmp_path / "nested.pth")
    assert read_tensors(tmp_path / "nested.pth").keys() == {"model.a.weight", "model.b"}
    save_file(WEIGHTS, tmp_path / "plain.safetensors")
    assert read_tensors(tmp_path / "plain.safetensors").keys() == WEIGHTS.keys()


@pytest.mark.parametrize("found", [[torch.zeros(1)], torch.zeros(1), {"ema": {}, "epoch": 1}, 3])
def test_a_file_without_named_tensors_is_refused(tmp_path, found):
    torch.save(found, tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"other\.pt must hold a state_dict"):
        read_tensors(tmp_path / "other.pt")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_cut_off_anywhere_is_named(tmp_path, zipped):
    torch.save(WEIGHTS, tmp_path / "whole.pth", _use_new_zipfile_serialization=zipped)
    content, path = (tmp_path / "whole.pth").read_bytes(), tmp_path / "cut_off.pth"
    for length in range(0, len(content), 41):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"cut_off\.pth must ") as caught:
            read_tensors(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["page.pth", "page.safetensors"])
def test_what_is_no_checkpoint_is_named_without_advice_to_run_its_code(tmp_path, name):
    (tmp_path / name).write_bytes(b"<!DOCTYPE html><html>404</html>")
    with pytest.raises(UserError, match=r"page\.\w+ must be a whole file .* \(31 bytes") as caught:
        read_tensors(tmp_path / name)
    assert "weights_only" not in str(caught.value)


def test_a_changed_byte_is_found(tmp_path):
    torch.save(WEIGHTS, tmp_path / "weights.pth")
    content = bytearray((tmp_path / "weights.pth").read_bytes())
    content[content.index(torch.tensor(299.0).numpy().tobytes())] ^= 1
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(UserError, match=r"weights/data/0 in it is damaged"):
        read_tensors(tmp_path / "weights.pth")


def test_a_pickled_model_is_saved_anew_by_what_the_message_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(nn.Linear(2, 3), "whole.pth")
    with pytest.raises(UserError, match=r"holds a torch\.nn\.modules\.linear\.Linear") as caught:
        read_tensors(tmp_path / "whole.pth")
    assert "\n" not in str(caught.value)
    _, load, _, save, _ = str(caught.value).split("`")
    exec(f"{load}\n{save}", {"torch": torch})
    assert read_tensors(tmp_path / "weights.pth").keys() == {"weight", "bias"}
