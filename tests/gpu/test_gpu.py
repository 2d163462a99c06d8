"""What a real GPU must show; `make gpu-check` runs it. Elsewhere it is skipped."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from nasray.trainables.block_wise.units.cell import BlockSpec
from nasray.trainables.block_wise.units.cell_target import CellTarget
from nasray.trainables.core.compute import place, prepare
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.settings.block_distillation import BlockDistillationConfig, RatingConfig
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.settings.features import FeatureConfig
from nasray.trainables.settings.teacher import TeacherConfig
from nasray.trainables.settings.training import TrainConfig
from nasray.trainables.teacher.unit import TeacherSpec
from nasray.trainables.units import run_unit

_UNIT = """
import json, sys
from nasray.trainables.units import parse_spec, run_unit

for _ in run_unit(parse_spec(json.loads(sys.argv[1]))):
    pass
"""
NUM_GPUS = torch.cuda.device_count()
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.timeout(600),
    pytest.mark.skipif(NUM_GPUS == 0, reason="needs a GPU that torch sees; this machine has none"),
]


@pytest.fixture
def cell(tmp_path):
    """The unit of a cell of the digits' space, whose untrained teacher is there."""

    def build(name="cell", **compute):
        inputs = SearchInputs(
            seed=0,
            data=DataConfig(num_train_images=256, num_held_out_images=64),
            search_space={"source": "digits"},
            compute=ComputeConfig(**{"device": "cuda"} | compute),
            teacher=TeacherConfig(source="largest", train=TrainConfig(epochs=1, batch_size=64, lr=0.01)),
            features=FeatureConfig(mode=("online",) * 3),
            teacher_folder=tmp_path / "teacher",
            features_root=tmp_path / "features",
        )
        if not (tmp_path / "teacher").exists():
            single = {"num_processes": 1, "compile": False, "precision": "float32"}
            plain = inputs.model_copy(update={"compute": inputs.compute.model_copy(update=single)})
            for _ in run_unit(TeacherSpec.of(plain)):
                pass
        rating = RatingConfig(num_batches=4, calibration_images=64, calibration_batch_size=32)
        config = BlockDistillationConfig(epochs=2, batch_size=64, lr=0.01, rating=rating)
        target = CellTarget(
            block=1,
            cell=inputs.space.blocks[1].cells[0].name,
            config=config,
            folder=tmp_path / name,
            table=tmp_path / name / "ratings.parquet",
        )
        return BlockSpec(name="block_1/cell", folder=tmp_path / name, inputs=inputs, target=target, rate=True)

    return build


def losses(spec):
    return [metrics["train_loss"] for metrics in run_unit(spec)]


def test_auto_is_the_gpu():
    assert prepare(ComputeConfig()).type == "cuda"


def test_images_pass_through_pinned_memory_in_the_layout():
    compute, device = ComputeConfig(), torch.device("cuda")
    images = torch.randn(8, 3, 16, 16)
    placed = place(compute, images, device)
    assert placed.device.type == "cuda"
    assert placed.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(placed.cpu(), images)


def test_float32_convolutions_are_not_tf32():
    """TF32 would be off by about 3e-4 of the largest value."""
    device = prepare(ComputeConfig())
    images = torch.randn(8, 64, 16, 16, dtype=torch.float64, device=device)
    weight = torch.randn(64, 64, 3, 3, dtype=torch.float64, device=device)
    exact = F.conv2d(images, weight)
    error = (F.conv2d(images.float(), weight.float()) - exact).abs().max()
    assert error < 5e-5 * exact.abs().max()


@pytest.mark.parametrize(
    "compute",
    [
        {"precision": "bfloat16"},
        {"precision": "float16"},
        {"channels_last": False},
        {"compile": True},
        {"compile": True, "precision": "bfloat16"},
    ],
    ids=["bfloat16", "float16", "contiguous", "compiled", "compiled_bfloat16"],
)
def test_a_cell_learns_alike_however_it_is_computed(cell, compute):
    plain = losses(cell("plain"))
    try:
        assert losses(cell("other", **compute)) == pytest.approx(plain, rel=0.05)
    finally:
        torch.compiler.set_stance("default")


def test_the_gpu_agrees_with_the_cpu(cell):
    assert losses(cell("cuda")) == pytest.approx(losses(cell("cpu", device="cpu")), rel=0.05)


def test_the_same_seed_gives_the_same_bytes(cell, tmp_path):
    for name in ("first", "second"):
        losses(cell(name))
    for file in ("supernet.safetensors", "ratings.parquet"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_two_units_share_a_gpu(cell, tmp_path):
    """At the same time, each in a process of its own, with the bytes of each alone."""
    losses(cell("alone"))
    units = [cell(f"shared_{number}") for number in range(2)]
    processes = [subprocess.Popen([sys.executable, "-c", _UNIT, spec.model_dump_json()]) for spec in units]
    assert [process.wait() for process in processes] == [0, 0]
    alone = (tmp_path / "alone" / "supernet.safetensors").read_bytes()
    assert all((spec.folder / "supernet.safetensors").read_bytes() == alone for spec in units)


def test_a_search_is_scheduled_on_the_gpu(tmp_path):
    """Through Ray, two units at a time on a GPU, and none of them on the CPU."""
    search = [
        "digits",
        "name=gpu",
        "retrain=null",
        "teacher.train.epochs=1",
        "searches.0.epochs=1",
        "searches.1.epochs=5",
    ]
    placed = ["compute.device=cuda", "resources.gpus_per_unit=0.5", "resources.address=local"]
    command = [
        Path(sys.executable).with_name("nasray"),
        "search",
        *search,
        *placed,
        f"storage.root={tmp_path}",
    ]
    subprocess.run(command, check=True)
    done = {path: json.loads(path.read_text()) for path in (tmp_path / "gpu" / "units").rglob("done.json")}
    cells = [
        content["devices"] for path, content in done.items() if path.parent.parent.name.startswith("block_")
    ]
    assert cells
    assert all(devices == [torch.cuda.get_device_name()] for devices in cells)
    assert (tmp_path / "gpu" / "ranking.parquet").exists()


@pytest.mark.skipif(NUM_GPUS < 2, reason=f"needs two GPUs that torch sees; this machine has {NUM_GPUS}")
def test_two_gpus_train_a_cell(cell, tmp_path):
    """Over NCCL; twice with the same bytes."""
    plain = losses(cell("plain"))
    assert losses(cell("first", num_processes=2)) == pytest.approx(plain, rel=0.1)
    losses(cell("second", num_processes=2))
    first, second = (load_file(tmp_path / name / "supernet.safetensors") for name in ("first", "second"))
    assert all(torch.equal(first[name], second[name]) for name in first)
