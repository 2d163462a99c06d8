import ast
import hashlib
import itertools
import json
import re
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from nasray.exporting.export import export_network

from .conftest import CHAIN, SPACES

CHAIN_ID = SPACES["chain"][1]
# Torch's exporters take their time: one kind of network in every run of the tests, the others in `make test-all`.
ONE_FAST = [pytest.param(name, marks=[] if name == "chain" else pytest.mark.slow) for name in SPACES]


def run_card(folder):
    """Run the card's code as its reader would, who has no nasray."""
    [code] = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    blocked = "import sys\nsys.modules['nasray'] = None\n"
    ending = "\nprint(tuple((probabilities if 'probabilities' in vars() else logits).shape))"
    command = [sys.executable, "-B", "-c", blocked + code + ending]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def trained_file(run, architecture, seed, name):
    """A file of the one training of an architecture with a seed."""
    digest = hashlib.sha256(architecture.encode()).hexdigest()[:12]
    [path] = (run / "units" / "retrain" / digest).glob(f"*_seed_{seed}/{name}")
    return path


@pytest.mark.parametrize("space", SPACES)
def test_a_python_file_that_needs_no_nasray(of_each_space, space, tmp_path):
    run = of_each_space(space)
    folder = export_network(run)
    assert folder.is_relative_to(run / "exports")
    assert {path.name for path in folder.iterdir()} == {"model.py", "weights.safetensors", "README.md"}
    imported = set()
    for node in ast.walk(ast.parse((folder / "model.py").read_text())):
        if isinstance(node, ast.ImportFrom):
            imported.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
    assert imported - sys.stdlib_module_names <= {"torch", "torchvision", "safetensors"}
    assert run_card(folder) == "(4, 10)\n"
    # Written as the project's own files are.
    for arguments in (
        ["check", "--select=F,E,I,UP", "--line-length=120"],
        ["format", "--check", "--line-length=110"],
    ):
        command = [sys.executable, "-m", "ruff", *arguments, "--isolated", str(folder / "model.py")]
        assert subprocess.run(command, check=False).returncode == 0


@pytest.mark.parametrize("space", ONE_FAST)
def test_a_program_for_any_number_of_images(of_each_space, space, tmp_path):
    folder = export_network(of_each_space(space), output=tmp_path / "network", format="torch.export")
    assert {path.name for path in folder.iterdir()} == {"model.pt2", "weights.safetensors", "README.md"}
    assert run_card(folder) == "(4, 10)\n"


@pytest.mark.parametrize("space", ONE_FAST)
def test_an_onnx_file_for_any_number_of_images(of_each_space, space, tmp_path):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    folder = export_network(of_each_space(space), output=tmp_path / "network", format="onnx")
    assert {path.name for path in folder.iterdir()} == {"model.onnx", "weights.safetensors", "README.md"}
    assert run_card(folder) == "(4, 10)\n"


OWN_OPERATIONS = '''
from collections import OrderedDict

import torch.nn as nn
import torch.nn.functional as F

SLOPE = 0.2
ACTIVATIONS = {"leaky": lambda x: F.leaky_relu(x, SLOPE), "never": lambda x: undefined(x)}


class Gate(nn.Module):
    """Channels weighted by their means."""

    def __init__(self, channels: int, *, name: str = "leaky") -> None:
        super().__init__()
        self.weigh = nn.Conv2d(channels, channels, 1)
        self.name = name

    def forward(self, x):
        return x * ACTIVATIONS[self.name](self.weigh(x.mean((2, 3), keepdim=True))).sigmoid()


def gated(in_channels, out_channels, stride):
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False),
            norm=nn.BatchNorm2d(out_channels),
            gate=Gate(out_channels),
        )
    )


class Factory:
    """A callable without a name of its own."""

    def __call__(self, in_channels, out_channels, stride):
        return nn.Sequential(
            OrderedDict(conv=nn.Conv2d(in_channels, out_channels, 1, stride), gate=Gate(out_channels, name="leaky"))
        )


made = Factory()


class Parametrised(nn.Module):
    def __init__(self, settings, in_channels, out_channels, stride):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, settings["kernel_size"], stride, padding=1)
        self.settings = settings

    def forward(self, x):
        return self.conv(x)


class Settings(dict):
    def __repr__(self):
        return "Settings"


class Odd:
    def __call__(self, in_channels, out_channels, stride):
        return Parametrised({"kernel_size": 3, "of": self}, in_channels, out_channels, stride)


odd = Odd()
'''


@pytest.fixture
def own_space(tmp_path, monkeypatch):
    (tmp_path / "own_operations.py").write_text(OWN_OPERATIONS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield CHAIN | {
        "operations": {name: f"own_operations:{name}" for name in ("gated", "made", "odd")},
        "blocks": [
            {
                "stride": 2,
                "operations": ["gated", "made", "odd", "mb3k3"],
                "cells": [{"depth": 2, "width": 8}],
            },
            CHAIN["blocks"][1],
        ],
    }
    sys.modules.pop("own_operations")


def test_operations_of_a_users_module(trained, own_space):
    folder = export_network(trained(own_space, "2x8:gated,made/1x16:mb3k3se"))
    text = (folder / "model.py").read_text()
    assert "                gated(8, 8, 2),\n" in text
    assert "gate=Gate(8)" in text.replace('Gate(8, name="leaky")', "Gate(8)")  # made by what has no name
    assert "SLOPE = 0.2" in text
    assert "undefined" not in text, "an entry of a table that is never called"
    assert run_card(folder) == "(4, 10)\n"


def test_an_operation_that_no_file_can_hold(trained, own_space, tmp_path):
    run = trained(own_space, "2x8:odd,mb3k3/1x16:mb3k3se")
    with pytest.raises(ValueError, match=r"Parametrised, made from .*Odd.*torch\.export"):
        export_network(run, output=tmp_path / "out" / "network")
    assert not list((tmp_path / "out").iterdir()), "no leftovers"
    assert run_card(export_network(run, format="torch.export")) == "(4, 10)\n"


def test_held_out_images_choose_architecture_and_seed(trained, tmp_path):
    other = "2x8:skip,skip/1x16:sep3"
    run = trained(CHAIN, CHAIN_ID, other, seeds=(0, 1))
    held_out = {}
    for architecture, seed in itertools.product((CHAIN_ID, other), (0, 1)):
        path = trained_file(run, architecture, seed, "retrained.json")
        recorded = json.loads(path.read_text())
        held_out[architecture, seed] = recorded["held_out_accuracy"]
        # The test images say the contrary.
        path.write_text(json.dumps(recorded | {"test_accuracy": 1 - recorded["held_out_accuracy"]}))
    means = {text: sum(v for (t, _), v in held_out.items() if t == text) / 2 for text in (CHAIN_ID, other)}
    best = max(means, key=means.get)
    seed = max((0, 1), key=lambda one: held_out[best, one])
    card = (export_network(run, output=tmp_path / "best") / "README.md").read_text()
    assert f"`{best}`" in card
    assert f"| {seed} (this one) |" in card
    given = export_network(run, other, tmp_path / "given", seed=1)
    assert "| 1 (this one) |" in (given / "README.md").read_text()
    weights = load_file(trained_file(run, other, 1, "network.safetensors"))
    exported = load_file(given / "weights.safetensors")
    assert weights.keys() == exported.keys()
    assert all(torch.equal(weights[name], exported[name]) for name in weights)


def test_mistakes_of_the_user(trained, tmp_path):
    run = trained(CHAIN, CHAIN_ID)
    with pytest.raises(ValueError, match="RUN must be the folder of a run"):
        export_network(tmp_path)
    with pytest.raises(ValueError, match=r"nasray retrain .* --architecture 2x8:skip,skip/1x16:sep3`"):
        export_network(run, "2x8:skip,skip/1x16:sep3")
    with pytest.raises(ValueError, match=r"seed must be one that .* was trained with, 0, got 3"):
        export_network(run, seed=3)
    with pytest.raises(ValueError, match=r"format must be one of torch, torch\.export, onnx, got 'jit'"):
        export_network(run, format="jit")
    export_network(run, output=tmp_path / "out")
    with pytest.raises(ValueError, match="must not be there yet"):
        export_network(run, output=tmp_path / "out")


def test_without_any_training(trained):
    run = trained(CHAIN)
    with pytest.raises(ValueError, match=r"none is: `nasray retrain .* --architecture ID`"):
        export_network(run)


def test_damaged_weights_leave_no_folder(trained, tmp_path):
    run = trained(CHAIN, CHAIN_ID)
    path = trained_file(run, CHAIN_ID, 0, "network.safetensors")
    weights, output = load_file(path), tmp_path / "out" / "network"
    # A file that can be read: only the recorded accuracy can tell.
    save_file(weights | {"head.4.weight": weights["head.4.weight"].flip(0)}, path)
    with pytest.raises(ValueError, match="of the held-out images right, as after its training"):
        export_network(run, output=output)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"must hold the weights of .*`nasray retrain`"):
        export_network(run, output=output)
    assert not list(output.parent.iterdir())
