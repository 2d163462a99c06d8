"""Where does the time of a block's training step go, and how much of it could nobody save?

Each cell of a search (Fashion-MNIST's, whose teacher is left untrained, which changes no time) takes a step in each
round: features are read, a path runs forward to its loss and backward, the optimiser follows. Then the same path's
limits are timed: its convolutions alone, and the traffic that batch norms and activations must cause (`limits.py`);
and what the teacher would have taken, were its features not kept. Medians over the rounds, ms a step. A share of the
checkpoint is what one costs after every epoch, divided by the epoch's steps.

    python benchmarks/profile_block.py [--config fashion_mnist] [--rounds 30] [--root runs/profile] [a.b=value ...]
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path as FilePath
from typing import TypeVar

import torch
from limits import bare_convolutions, bare_traffic
from planned_units import prepared
from torch import Tensor
from verdicts import Verdict, tell

from nasray.trainables.block_wise.step import parameter_groups, sample_paths
from nasray.trainables.block_wise.supernet import Path
from nasray.trainables.block_wise.units.cell import BlockSpec, build_data, build_supernet
from nasray.trainables.core.compute import place_module
from nasray.trainables.core.losses import feature_loss
from nasray.trainables.core.optimizer_step import OptimizerStep
from nasray.trainables.core.seeding import generator
from nasray.trainables.core.trainable import save_checkpoint
from nasray.trainables.teacher.unit import TeacherResult

_PARTS = ("features", "forward", "backward", "optimiser", "checkpoint")
_TOTALS = ("in_all", "unavoidable")
_LIMITS = ("convolutions", "traffic", "teacher")
Batch = tuple[Tensor, Tensor]
T = TypeVar("T")


def main() -> None:
    """Print a row per cell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default="fashion_mnist")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--root", type=FilePath, default=FilePath("runs/profile"))
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_args()
    sizes = ["data.num_train_images=2048", "data.num_held_out_images=256"]
    _, units = prepared(arguments.config, arguments.root, [*sizes, *arguments.overrides])
    profiles = [CellProfile(unit.spec) for unit in units if isinstance(unit.spec, BlockSpec)]
    for _ in range(arguments.rounds):
        for profile in profiles:
            profile.take_step()
    print(f"{'':14}" + "".join(f"{name:>13}" for name in (*_PARTS, "in all", *_LIMITS, "unavoidable")))
    for profile in profiles:
        profile.print_row()
    in_all, unavoidable = (sum(getattr(profile, name) for profile in profiles) for name in _TOTALS)
    print(f"{'all cells':14}{unavoidable / in_all:.0%} unavoidable")
    tell(
        Verdict(
            "block's step: its limit (convolutions, traffic) against all of it",
            f"{in_all:.0f} ms, {len(profiles)} cells",
            f"{unavoidable:.0f} ms",
            unavoidable / in_all,
            at_least=0.7,
        )
    )


class CellProfile:
    """The steps of one cell, and what each part of them took."""

    def __init__(self, spec: BlockSpec) -> None:
        inputs, target = spec.inputs, spec.target
        self.name, self._config, self._inputs = spec.name, target.config, inputs
        self._data, self._supernet = build_data(inputs, target.block), build_supernet(inputs, target)
        teacher = TeacherResult.read(inputs.teacher_folder).load(inputs)
        self._teacher = place_module(inputs.compute, teacher, inputs.device)
        self._block, self._checkpoint = target.block, target.folder / "profile.pt"
        rng = generator(inputs.seed, spec.name, "profile")
        self._paths = sample_paths(self._supernet, self._config.paths, rng)
        optimizer = torch.optim.Adam(parameter_groups(self._supernet, self._config.weight_decay), lr=1e-6)
        self._optimizer_step = OptimizerStep(self._loss, [self._supernet], optimizer, inputs.compute)
        self._batches: Iterator[Batch] = iter(())
        self.seconds: dict[str, list[float]] = {name: [] for name in (*_PARTS, *_LIMITS)}

    def take_step(self) -> None:
        """One step, and its limits."""
        features, target = self._timed("features", self._next_batch)
        path, optimizer = next(self._paths), self._optimizer_step.optimizer
        loss = self._timed("forward", lambda: self._optimizer_step(features, target, path))
        optimizer.zero_grad(set_to_none=True)
        self._timed("backward", loss.backward)
        self._timed("optimiser", optimizer.step)
        state = {"supernet": self._supernet.state_dict(), "optimizer_step": self._optimizer_step.state_dict()}
        self._timed("checkpoint", lambda: save_checkpoint(self._checkpoint, state))
        run_pass = partial(self._supernet, features, path)
        self._timed("convolutions", bare_convolutions(self._supernet, run_pass))
        self._timed("traffic", bare_traffic(self._supernet, run_pass))
        images = self._inputs.images.train.images(range(len(features)))
        with torch.no_grad():
            self._timed("teacher", lambda: self._teacher.features(images, up_to=self._block + 1))

    @property
    def milliseconds(self) -> dict[str, float]:
        """What each part of a step takes: medians."""
        medians = {name: 1e3 * statistics.median(values) for name, values in self.seconds.items()}
        medians["checkpoint"] /= -(-self._inputs.summary.num_train // self._config.batch_size)
        return medians

    @property
    def in_all(self) -> float:
        """Milliseconds of a step."""
        return sum(self.milliseconds[name] for name in _PARTS)

    @property
    def unavoidable(self) -> float:
        """Milliseconds that nobody could save."""
        return self.milliseconds["convolutions"] + self.milliseconds["traffic"]

    def print_row(self) -> None:
        """Print the medians, ms a step."""
        parts, limits = ([self.milliseconds[name] for name in names] for names in (_PARTS, _LIMITS))
        figures = "".join(f"{value:>13.2f}" for value in (*parts, self.in_all, *limits))
        print(f"{self.name:14}{figures}{self.unavoidable / self.in_all:>13.0%}")

    def _timed(self, part: str, action: Callable[[], T]) -> T:
        start = time.perf_counter()
        result = action()
        self.seconds[part].append(time.perf_counter() - start)
        return result

    def _next_batch(self) -> Batch:
        """The next batch of features, of a new pass where one is over."""
        batch = next(self._batches, None)
        if batch is None:
            self._batches = self._data.train_batches(0, self._config.batch_size)
            batch = next(self._batches)
        return batch

    def _loss(self, features: Tensor, target: Tensor, path: Path) -> Tensor:
        return feature_loss(self._supernet(features, path).float(), target, self._config.loss)


if __name__ == "__main__":
    main()
