import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file

from nasray.trainables.block_wise.units.cell import BlockSpec
from nasray.trainables.block_wise.units.cell_target import CellTarget
from nasray.trainables.core.process_group import ProcessGroup
from nasray.trainables.core.trainable import load_checkpoint
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.retrain.trainable import RetrainSpec
from nasray.trainables.settings.block_distillation import BlockDistillationConfig, RatingConfig
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.settings.features import FeatureConfig
from nasray.trainables.settings.teacher import TeacherConfig
from nasray.trainables.settings.training import DistillationConfig, RetrainConfig, TrainConfig
from nasray.trainables.teacher.unit import TeacherSpec
from nasray.trainables.units import run_unit

pytestmark = pytest.mark.timeout(600)  # processes start that import torch

# Without batch norm, whose statistics are those of a process's own part of a batch.
OPERATION = """
from torch import nn


def plain(in_channels, out_channels, stride):
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, stride, padding=1), nn.ReLU())
"""
BLOCK = {"stride": 2, "operations": ["skip", "plain"]}
SPACE = {
    "source": "declared",
    "stem": [{"operation": "plain", "width": 8}],
    "operations": {"plain": "plain_operations:plain"},
    "blocks": [
        BLOCK | {"cells": [{"depth": 2, "width": 8}]},
        BLOCK | {"cells": [{"depth": 2, "width": 12}]},
    ],
}
pytestmark = pytest.mark.timeout(600)  # processes that start on a busy machine

ARCHITECTURE = "2x8:plain,skip/2x12:plain,plain"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the user's module."""
    folder = tmp_path_factory.mktemp("parallel")
    (folder / "plain_operations.py").write_text(OPERATION)
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def inputs(folder):
    """The inputs of a search in so many processes, on an untrained teacher."""

    def build(num_processes, *, trained=False, **changes):
        training = TrainConfig(epochs=2, batch_size=256, optimizer="sgd", lr=0.05, warmup_epochs=0)
        found = SearchInputs(
            seed=0,
            data=DataConfig(num_train_images=256, num_held_out_images=64, num_test_images=64),
            search_space=SPACE,
            compute=ComputeConfig(device="cpu", num_processes=num_processes),
            teacher=TeacherConfig(source="largest", train=training if trained else None),
            features=FeatureConfig(mode=("online", "online")),
            teacher_folder=folder / ("trained" if trained else "teacher"),
            features_root=folder / "features",
        )
        return found.model_copy(update=changes)

    for _ in run_unit(TeacherSpec.of(build(1))):
        pass
    return build


@pytest.fixture(scope="module")
def cell(folder, inputs):
    """The unit of a cell, trained for two epochs of one step."""

    def build(name, num_processes, **settings):
        rating = RatingConfig(
            num_batches=4, calibration_images=64, calibration_batch_size=32, swap_in_images=0
        )
        config = BlockDistillationConfig(
            **{"epochs": 2, "batch_size": 256, "lr": 0.01, "rating": rating} | settings
        )
        target = CellTarget(
            block=1, cell="2x12", config=config, folder=folder / name, table=folder / name / "ratings.parquet"
        )
        return BlockSpec(
            name="block_1/2x12",
            folder=folder / name,
            inputs=inputs(num_processes),
            target=target,
            rate=True,
        )

    return build


def largest_difference(one, other):
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def others_of(pid):
    """The processes that train with this one."""
    children = psutil.Process(pid).children(recursive=True)
    return [process for process in children if "spawn_main" in " ".join(process.cmdline())]


def test_parts_make_up_the_batch():
    positions = np.arange(11)
    parts = [ProcessGroup(rank, 3).part(positions) for rank in range(3)]
    assert sorted(np.concatenate(parts)) == list(positions)
    assert {len(part) for part in parts} == {3, 4}
    assert ProcessGroup().part(positions) is not None
    with pytest.raises(ValueError, match=r"compute\.num_processes, 12, got one of 11"):
        ProcessGroup(0, 12).part(positions)


def test_gradients_are_those_of_the_whole_batch(cell, folder):
    """After a step Adam's moments are the gradients: those of one process but for rounding, and none off the path."""
    moments, losses = [], []
    for name, num_processes in (("one", 1), ("two", 2)):
        running = run_unit(cell(name, num_processes))
        losses.append(next(running)["train_loss"])
        checkpoint = load_checkpoint(folder / name / "last.pt")
        state = checkpoint["method"]["optimizer_step"]["optimizer"]["state"]
        moments.append({number: one["exp_avg"] for number, one in state.items()})
        running.close()
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    scale = max(float(moment.abs().max()) for moment in moments[0].values())
    assert largest_difference(*moments) < 1e-5 * scale


@pytest.mark.parametrize("num_epochs", [1, 3], ids=["in_the_middle", "before_the_ratings"])
def test_as_many_processes_give_the_same_bytes(cell, folder, num_epochs):
    """Resumed after some epochs, or after all of them, or not."""
    for _ in run_unit(cell("whole", 2, epochs=3, batch_size=64)):
        pass
    spec = cell(f"interrupted_after_{num_epochs}", 2, epochs=3, batch_size=64)
    running = run_unit(spec)
    for _ in range(num_epochs):
        next(running)
    running.close()
    assert not spec.is_done
    resumed = list(run_unit(spec))
    assert [metrics["epoch"] for metrics in resumed if metrics.get("replayed")] == [*range(1, num_epochs + 1)]
    assert [metrics["epoch"] for metrics in resumed] == [1, 2, 3]
    assert spec.is_done
    for file in ("supernet.safetensors", "ratings.parquet"):
        assert (folder / "whole" / file).read_bytes() == (spec.folder / file).read_bytes()
    assert not others_of(os.getpid())


def test_a_network_learns_from_the_teacher_in_two_processes(inputs, folder):
    train = TrainConfig(epochs=1, batch_size=256, lr=0.05, warmup_epochs=0)
    config = RetrainConfig(train=train, distillation=DistillationConfig(logits=1.0))
    weights, metrics = [], []
    for num_processes in (1, 2):
        name = f"network_{num_processes}"
        spec = RetrainSpec(
            name=name,
            folder=folder / name,
            inputs=inputs(num_processes),
            architecture=ARCHITECTURE,
            config=config,
            training_seed=0,
        )
        metrics.append(next(iter(list(run_unit(spec)))))
        weights.append(load_file(folder / name / "network.safetensors"))
    assert largest_difference(*weights) < 1e-5
    for key in ("train_loss", "logit_distance", "train_accuracy"):
        assert metrics[0][key] == pytest.approx(metrics[1][key], rel=1e-5)


def test_a_mistake_is_told_once(inputs, folder):
    """All processes meet it; the unit's own says it."""
    spec = TeacherSpec.of(inputs(2, trained=True))
    images = DataConfig(num_train_images=3, num_held_out_images=64, num_test_images=64)
    train = TrainConfig(epochs=1, batch_size=2)
    changed = spec.inputs.model_copy(
        update={"data": images, "teacher": TeacherConfig(source="largest", train=train)}
    )
    with pytest.raises(ValueError, match=r"for each of compute\.num_processes, 2, got one of 1"):
        list(run_unit(TeacherSpec.of(changed)))


_LEADER = """
import sys
from multiprocessing import current_process
from nasray.trainables.units import parse_spec, run_unit
import json

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    for metrics in run_unit(parse_spec(json.load(open(sys.argv[2])))):
        print(metrics["epoch"], flush=True)
"""


@pytest.mark.parametrize("victim", ["other", "leader"])
def test_none_is_left_alone(cell, folder, victim):
    """Where one process is killed, the others end, and the next attempt goes on from the last epoch."""
    spec = cell(f"killed_{victim}", 2, epochs=1000, batch_size=64)
    script, plain = folder / "leader.py", folder / "spec.json"
    script.write_text(_LEADER)
    plain.write_text(spec.model_dump_json())
    command = [sys.executable, str(script), str(folder), str(plain)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as leader:
        assert leader.stdout.readline() == "1\n"
        others = others_of(leader.pid)
        assert len(others) == 1
        os.kill(others[0].pid if victim == "other" else leader.pid, signal.SIGKILL)
        assert leader.wait(60) != 0
    deadline = time.monotonic() + 30
    while psutil.pid_exists(others[0].pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not psutil.pid_exists(others[0].pid)
    running = run_unit(spec)
    assert next(running)["replayed"]
    running.close()


def test_one_process_starts_none(inputs):
    assert TeacherSpec.of(inputs(2)).num_processes == 1  # it is not trained
    assert TeacherSpec.of(inputs(2, trained=True)).num_processes == 2
    assert not torch.distributed.is_initialized()
