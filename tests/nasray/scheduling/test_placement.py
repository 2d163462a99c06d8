import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from nasray.scheduling.placement import Node, chooser
from nasray.settings.loading import load_config
from nasray.settings.resources import ResourcesConfig

SCRIPT = Path(__file__).with_name("declared_gpus.py")


@pytest.fixture
def told(tmp_path):
    """What the script tells of units on declared GPUs; in a process, and a Ray, of its own."""

    def run(what):
        command = [sys.executable, str(SCRIPT), what, str(tmp_path)]
        # In a folder of its own, with a short name for its sockets, no other Ray takes its cluster for the machine's.
        with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder:
            environment = os.environ | {"RAY_TMPDIR": folder}
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=280, check=False, env=environment
            )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.mark.parametrize(
    ("share", "number"),
    [(0.1, 40), (0.2, 20), (0.3, 12), (0.3333, 12), (0.4, 8), (0.51, 4), (1, 4), (2, 2), (3, 1)],
)
def test_fractions_do_not_reach_over_devices(share, number):
    node = Node({"CPU": 100, "GPU": 4})
    wanted = {"CPU": 1, "GPU": share}
    assert sum(node.take(wanted) for _ in range(100)) == number


def test_whole_gpus_are_those_that_nobody_shares():
    node = Node({"CPU": 9, "GPU": 2, "accelerator_type:T4": 1})
    assert node.take({"CPU": 1, "GPU": 0.3})
    assert node.take({"CPU": 1, "GPU": 0.3})  # on the same one
    assert not node.take({"CPU": 1, "GPU": 2})
    assert not node.take({"CPU": 1, "GPU": 1, "accelerator_type:A100": 0.001})
    assert node.take({"CPU": 1, "GPU": 1, "accelerator_type:T4": 0.001})
    assert not node.take({"CPU": 1, "GPU": 1})
    assert node.take({"CPU": 6})
    assert not node.take({"CPU": 1})


@pytest.fixture
def choose(monkeypatch):
    """What starts next on a node with a GPU and one without, of two CPUs each; trainings take a GPU."""
    nodes = [{"Alive": True, "Resources": {"CPU": 2, **gpus}} for gpus in ({"GPU": 1}, {})]
    monkeypatch.setattr("nasray.scheduling.placement.ray.nodes", lambda: nodes)
    return chooser(ResourcesConfig(gpus_by_kind={"retrain": 1}))


def stand_in(kind):
    compute = SimpleNamespace(num_threads=1, num_workers=0)
    return SimpleNamespace(kind=kind, num_processes=1, inputs=SimpleNamespace(compute=compute))


def test_a_unit_overtakes_only_where_the_first_could_never_run(choose):
    training, waiting, cell = stand_in("retrain"), stand_in("retrain"), stand_in("block")
    assert choose([], [training, cell]) is training
    assert choose([training], [waiting, cell]) is cell
    assert choose([training, cell], [waiting, cell]) is cell
    assert choose([training, cell, cell], [waiting, cell]) is cell
    assert choose([training, cell, cell, cell], [waiting, cell]) is None
    # One CPU is free on the node with the GPU, for which the training waits.
    assert choose([cell, cell, cell, cell], [waiting, cell]) is None


def most_at_once(seen):
    """The largest number that were there at one time."""
    return max(sum(other["start"] <= one["start"] < other["end"] for other in seen) for one in seen)


@pytest.mark.timeout(600)  # a dozen processes start
def test_no_gpu_holds_more_than_its_fractions_allow(told):
    """Two of 0.4 share one of four GPUs; one that takes a whole GPU has it alone."""
    result = told("gpus")
    assert result["slots"] == {"0.1": 9, "0.4": 8, "1": 4}  # of nine CPUs
    seen = result["seen"]
    assert len(seen) == 14
    assert all(len(one["gpus"]) == 1 and one["visible"] == str(one["gpus"][0]) for one in seen)
    for gpu in range(4):
        here = [one for one in seen if int(one["gpus"][0]) == gpu]
        assert most_at_once(here) <= 2
        for whole in (one for one in here if one["name"].startswith("whole")):
            others = [one for one in here if one is not whole]
            assert all(one["end"] <= whole["start"] or whole["end"] <= one["start"] for one in others)
    assert most_at_once(seen) >= 6  # two that have a GPU each, and four on the others


@pytest.mark.timeout(600)
def test_unlike_nodes_are_counted_one_by_one(told):
    result = told("nodes")
    accelerator, too_many, threads, device = result["refused"]
    assert "takes 1 CPU, 1 GPU (A100), the nodes have 3 CPU or 3 CPU, 2 GPU (T4)" in accelerator
    assert "takes 3 CPU, 3 GPU" in too_many
    assert "takes 4 CPU, the nodes have 3 CPU or 3 CPU, 2 GPU (T4)" in threads
    assert "compute.device: cuda must go with GPUs" in device
    assert result["slots"] == [6, 3, 2, 1]
    assert {one["node"] for one in result["seen"]} == {result["gpu_node"]}
    assert most_at_once(result["seen"]) == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["resources.gpus_per_unit=1.5"], "must be a fraction of one GPU or a whole number, got 1.5"),
        (["resources.gpus_per_unit=0.00001"], "must be at least 0.0001"),
        (["resources.gpus_per_unit=2"], "got 2 GPUs and 1 processes"),
        (["resources.gpus_per_unit=1", "compute.num_processes=2"], "got 1 GPUs and 2 processes"),
        (["resources.gpus_by_kind={cell: 1}"], "must have kinds of units as keys, .*block.*, got cell"),
    ],
)
def test_gpus_that_cannot_be_given_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        load_config("digits", settings)


def test_gpus_go_with_processes():
    for settings in ([], ["resources.gpus_per_unit=2"], ["resources.gpus_by_kind={retrain: 2}"]):
        load_config("digits", ["compute.num_processes=2", *settings])
    assert load_config("digits", ["resources.gpus_by_kind={teacher: 0.5}"]).resources == ResourcesConfig(
        gpus_by_kind={"teacher": 0.5}
    )
