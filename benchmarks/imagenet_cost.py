"""What does an ImageNet DNA search cost on 1, 8 and 64 GPUs, and which part limits it?

A model, since we have neither GPU nor ImageNet: what each unit computes is counted (`imagenet_work.py`); how fast one
core of this machine prepares images, runs the teacher, trains a block's paths and whole networks is measured; and one
figure is assumed, the speed at which a GPU runs the teacher. Other work is as much slower or faster on it, per
multiply-accumulate, as on the core.

    python benchmarks/imagenet_cost.py [--measure] [--gpu-tmacs 5]
"""

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from imagenet_work import ImageNetSearch, Work
from list_schedule import ideal_seconds
from PIL import Image
from torch import nn
from torch.nn import functional as F

from nasray.scheduling.unit import Unit
from nasray.search_spaces.costs.cost import measure
from nasray.trainables.block_wise.units.cell import BlockSpec, RatingSpec
from nasray.trainables.data.transforms import augmentation, fitting, normalisation
from nasray.trainables.teacher.unit import TeacherSpec
from nasray.trainables.teacher.untrained import untrained_teacher

ASSUMED_TEACHER = 5e12  # sustained multiply-accumulates a second of a GPU: about 1,000 images of the teacher
NUM_GPUS, NUM_WORKERS, NUM_NETWORKS = (1, 8, 64), (0, 8, 32), 200
_BATCH, _BLOCK, _SECONDS = 8, 2, 15.0


@dataclass(frozen=True, slots=True)
class Speeds:
    """What is done in a second.

    Attributes:
        images: Images that one process reads, decodes and augments.
        teacher: Multiply-accumulates of the teacher's forward pass.
        blocks: Those of blocks, a training step counted as three passes.
        networks: Those of whole networks, likewise.
    """

    images: float
    teacher: float
    blocks: float
    networks: float

    def on_gpu(self, teacher: float) -> "Speeds":
        """The speeds of a unit whose GPU runs the teacher at this one."""
        ratio = teacher / self.teacher
        return Speeds(self.images, teacher, self.blocks * ratio, self.networks * ratio)

    def seconds(self, work: Work, num_workers: int) -> float:
        """How long a unit takes, whose images are prepared by so many workers ahead; 0: by itself, between steps."""
        computing = work.teacher / self.teacher + work.blocks / self.blocks + work.networks / self.networks
        preparing = work.images / self.images
        return max(preparing / num_workers, computing) if num_workers else preparing + computing


# What --measure gave on one core of the shared machine, float32.
ONE_CORE = Speeds(images=247.0, teacher=1.95e10, blocks=1.52e10, networks=1.01e10)


def main() -> None:
    """Print the hours of each stage, by what they are for, and the time on 1, 8 and 64 GPUs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--measure", action="store_true", help="the speeds of one core of this machine, too")
    parser.add_argument("--gpu-tmacs", type=float, default=ASSUMED_TEACHER / 1e12)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        search = ImageNetSearch(Path(root))
        core = measure_core(search) if arguments.measure else ONE_CORE
        print(core)
        gpu = core.on_gpu(1e12 * arguments.gpu_tmacs)
        print_cost(search, gpu)


def measure_core(search: ImageNetSearch) -> Speeds:
    """The speeds of one core of this machine, by processor time, which waiting for others does not enter."""
    torch.set_num_threads(1)
    space = search.inputs.space
    network = space.build(space.sample(np.random.default_rng(0)))
    entry = space.block_input_shape(_BLOCK, space.entry_widths(_BLOCK)[0])
    teacher, images = untrained_teacher(search.inputs), torch.randn(_BATCH, *space.input_shape)
    teacher, images = (thing.to(memory_format=torch.channels_last) for thing in (teacher, images))
    with torch.no_grad():
        passes = _rate(lambda: teacher.features(images, up_to=len(space.blocks)))
    return Speeds(
        images=_rate(_preparation(search)),
        teacher=passes * _BATCH * search.teacher_macs[-1],
        blocks=_training_macs(network.blocks[_BLOCK], entry),
        networks=_training_macs(network, space.input_shape),
    )


def _training_macs(module: nn.Module, shape: tuple[int, ...]) -> float:
    """Multiply-accumulates a second of training steps, each counted as three passes."""
    module = module.to(memory_format=torch.channels_last)
    inputs = torch.randn(_BATCH, *shape).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-6, momentum=0.9)

    def step() -> None:
        output = module(inputs)
        optimizer.zero_grad()
        F.mse_loss(output, torch.zeros_like(output)).backward()
        optimizer.step()

    return _rate(step) * 3 * _BATCH * measure(module, shape).num_macs


def _rate(do: Callable[[], object]) -> float:
    """How often something is done in a second of processor time."""
    do()
    count, start, cpu = 0, time.monotonic(), time.process_time()
    while time.monotonic() - start < _SECONDS or not count:
        do()
        count += 1
    return count / (time.process_time() - cpu)


def _preparation(search: ImageNetSearch) -> Callable[[], torch.Tensor]:
    """Decodes and augments a JPEG of ImageNet's usual size, 500 by 375 pixels and some 110 kB."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)).resize((500, 375))
    pixels = np.asarray(coarse, float) + rng.normal(0, 16, (375, 500, 3))
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=80)
    augment = search.config.data.augment
    assert augment is not None
    size = search.inputs.space.input_shape[1:]
    normalise = normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    change = augmentation(augment, size, fitting(size[0], 0.875), normalise)
    return lambda: change(Image.open(io.BytesIO(file.getvalue())).convert("RGB"))


def print_cost(search: ImageNetSearch, gpu: Speeds) -> None:
    """Print a row per stage: hours of a core for images, of GPUs for the rest, and how long all takes on some GPUs."""
    for num_workers in NUM_WORKERS:
        print(f"\ncompute.num_workers={num_workers}: hours of work, and until it is done on so many GPUs")
        header = ("units", "images", "teacher", "blocks", "networks", *map(str, NUM_GPUS))
        print(f"{'':<28}" + "".join(f"{name:>10}" for name in header))
        for stage, units in stages(search).items():
            hours = _hours(search, units, gpu, num_workers)
            print(f"{stage:<28}{len(units):>10}" + "".join(f"{x:>10.1f}" for x in hours))


def stages(search: ImageNetSearch) -> dict[str, list[Unit]]:
    """The units by what they are for; the search as a whole is a schedule, and so is the trainings'."""
    units = search.search_units
    networks = search.retraining_units(NUM_NETWORKS)
    assert search.config.retrain is not None
    configured = search.config.retrain.top + search.config.retrain.sample
    return {
        "teacher": [unit for unit in units if isinstance(unit.spec, TeacherSpec)],
        "cells": [unit for unit in units if isinstance(unit.spec, BlockSpec)],
        "large cells' ratings": [unit for unit in units if isinstance(unit.spec, RatingSpec)],
        "search in all": units,
        f"{configured} networks, as configured": networks[:configured],
        f"{NUM_NETWORKS} networks": networks,
    }


def _hours(search: ImageNetSearch, units: Sequence[Unit], speeds: Speeds, num_workers: int) -> list[float]:
    """Hours for images, teacher, blocks and networks, and on each number of GPUs."""
    works = [search.work(unit) for unit in units]
    parts = [
        sum(getattr(work, name) for work in works) / getattr(speeds, name) / 3600
        for name in (field.name for field in fields(Speeds))
    ]
    seconds = {unit.name: speeds.seconds(work, num_workers) for unit, work in zip(units, works, strict=True)}
    return [*parts, *(ideal_seconds(units, seconds, number) / 3600 for number in NUM_GPUS)]


if __name__ == "__main__":
    main()
