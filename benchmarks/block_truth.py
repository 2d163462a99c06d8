"""Does a supernet order a block's candidates as they are ordered when each is trained apart?

The second block of a small space, three layers of {skip, mb3k3, mb6k5}: 27 candidates. The truth: every candidate is
trained alone, from torch's default start, on the same teacher features with the same settings, and rated in the same
way; the mean over the seeds. Against it, per seed: the supernet's ratings with residual branches that start at zero
and with the default start, with uniform and with fair paths; and trivial scores. Kendall's tau, mean and standard error
over the seeds, over all candidates and among those of equal depth.

    python benchmarks/block_truth.py [--data fashion_mnist] [--seeds 3] [--epochs 10]
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context

import numpy as np
import pandas as pd
import torch
from scipy.stats import kendalltau
from torch import Tensor

from search_spaces.block import BlockSpace, Cell
from search_spaces.layer import Layer
from search_spaces.operations import OPERATIONS
from search_spaces.space import SearchSpace
from trainables.block_data import BlockData
from trainables.block_distillation.config import BlockDistillationConfig, RatingConfig
from trainables.block_distillation.rate import CandidateRater, ratings_frame
from trainables.block_distillation.step import BlockDistillation
from trainables.block_distillation.supernet import CellSupernet
from trainables.cutting import cut
from trainables.data import DataConfig, ImageData, load_data
from trainables.retrain.config import TrainConfig
from trainables.retrain.step import SupervisedTraining
from trainables.seeding import seed_global_generators
from trainables.split import Split
from trainables.training import ComputeConfig, train_epoch

CHOICES = ("skip", "mb3k3", "mb6k5")
BLOCK = 1
COMPUTE = ComputeConfig(device="cpu")


@dataclass(frozen=True)
class Task:
    """One training of a supernet, or of a single candidate."""

    arm: str
    seed: int
    operations: tuple[tuple[str, ...], ...]
    config: BlockDistillationConfig


class FeaturesInMemory:
    """The teacher's features before and after the block, computed once per process."""

    def __init__(self, images: ImageData, space: SearchSpace) -> None:
        teacher = _trained_teacher(images, space)
        self._features = {split.name: _features(teacher, split) for split in (images.train, images.held_out)}

    def pair(self, split: Split, positions: np.ndarray, view: int | None) -> tuple[Tensor, Tensor]:
        """Features [B, C, H, W] before and after the block."""
        before, after = self._features[split.name]
        return before[positions], after[positions]


def main() -> None:
    arguments = _arguments()
    tasks = list(_tasks(arguments))
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        tables = list(pool.map(_rate, tasks, [arguments.data] * len(tasks), [arguments.images] * len(tasks)))
    ratings: dict[str, list[pd.Series]] = {}
    alone: dict[int, list[pd.Series]] = {}
    for task, table in zip(tasks, tables, strict=True):
        series = table.set_index("candidate")["rating"]
        if task.arm == "alone":
            alone.setdefault(task.seed, []).append(series)
        else:
            ratings.setdefault(task.arm, []).append(series)
    truths = [pd.concat(parts) for parts in alone.values()]
    truth = pd.concat(truths, axis=1).mean(axis=1)
    costs = _space(_images(arguments.data, arguments.images)).candidate_table(BLOCK).set_index("candidate")
    depth = pd.Series({name: 3 - name.count("skip") for name in truth.index})
    print(f"{arguments.data}: {len(truth)} candidates, {arguments.seeds} seeds, {arguments.epochs} epochs")
    print(f"{'arm':<34}{'tau':>16}{'at equal depth':>18}{'best is truly':>15}")
    for arm, found in ratings.items():
        _print_row(arm, found, truth, depth)
    _print_row("trivial: layers that are not skip", [-depth], truth, depth)
    _print_row("trivial: MACs", [-costs["num_macs"]], truth, depth)
    _print_row("truth: one seed against the mean", truths, truth, depth)


def _tasks(arguments: argparse.Namespace) -> Iterator[Task]:
    """The supernets first, since they take longest."""
    config = BlockDistillationConfig(
        epochs=arguments.epochs, batch_size=64, lr=0.003, rating=RatingConfig(num_batches=8)
    )
    whole = (CHOICES,) * 3
    for seed in range(arguments.seeds):
        for zero_init in (True, False):
            for paths in ("uniform", "fair"):
                arm = f"{'zero-initialised' if zero_init else 'default start'}, {paths} paths"
                yield Task(
                    arm,
                    seed,
                    whole,
                    config.model_copy(update={"zero_init_residual": zero_init, "paths": paths}),
                )
    alone = config.model_copy(update={"zero_init_residual": False})
    for seed in range(arguments.seeds):
        for candidate in Cell(3, 40, whole).candidates():
            yield Task("alone", seed, tuple((operation,) for operation in candidate.operations), alone)


def _rate(task: Task, source: str, num_images: int) -> pd.DataFrame:
    """The ratings of the task's candidates."""
    images, features = _features_of(source, num_images)
    space = _space(images, task.operations)
    data = BlockData(images, features, COMPUTE, seed=task.seed)
    cell = space.blocks[BLOCK].cells[0]
    seed_global_generators(task.seed, str(task.operations))
    supernet = CellSupernet(space, BLOCK, cell, 24, 40, zero_init=task.config.zero_init_residual)
    COMPUTE.place_module(supernet, COMPUTE.prepare())
    method = BlockDistillation(supernet, data, task.config, block=BLOCK, seed=task.seed, name=task.arm)
    for epoch in range(task.config.epochs):
        train_epoch(method, epoch)
    rater = CandidateRater(supernet, data, task.config.rating)
    return ratings_frame(supernet, rater.rate(rater.subtrees()), space.candidate_table(BLOCK))


def _space(images: ImageData, operations: tuple[tuple[str, ...], ...] = (CHOICES,) * 3) -> SearchSpace:
    blocks = tuple(
        BlockSpace(2, (Cell(3, width, operations if block == BLOCK else (CHOICES,) * 3),))
        for block, width in enumerate((24, 40, 80))
    )
    stem = (Layer("conv3", 16, 1),)
    return SearchSpace("truth", images.input_shape, images.num_classes, stem, None, 0.0, blocks, OPERATIONS)


@cache
def _images(source: str, num_images: int) -> ImageData:
    config = DataConfig(source=source, num_train_images=num_images, num_held_out_images=num_images // 5)
    return load_data(config, seed=0)


@cache
def _features_of(source: str, num_images: int) -> tuple[ImageData, FeaturesInMemory]:
    images = _images(source, num_images)
    return images, FeaturesInMemory(images, _space(images))


def _trained_teacher(images: ImageData, space: SearchSpace) -> torch.nn.Module:
    """The space's largest architecture, trained; the same in every process."""
    COMPUTE.prepare()
    seed_global_generators(0, "teacher")
    model = COMPUTE.place_module(space.build(space.largest()), COMPUTE.prepare())
    config = TrainConfig(epochs=5, batch_size=64, optimizer="adamw", lr=0.003, weight_decay=0.05)
    training = SupervisedTraining(model, images, config, COMPUTE, seed=0)
    for epoch in range(config.epochs):
        train_epoch(training, epoch)
    return cut(model.eval(), [f"blocks.{block}" for block in range(3)], images.input_shape)


@torch.no_grad()
def _features(teacher: torch.nn.Module, split: Split) -> tuple[Tensor, Tensor]:
    parts = [
        teacher.features(COMPUTE.place(split.images(positions), COMPUTE.prepare()), up_to=BLOCK + 1)[BLOCK:]
        for positions in np.array_split(np.arange(len(split)), max(1, len(split) // 256))
    ]
    return torch.cat([before for before, _ in parts]), torch.cat([after for _, after in parts])


def _print_row(arm: str, found: list[pd.Series], truth: pd.Series, depth: pd.Series) -> None:
    taus = [kendalltau(series[truth.index], truth).statistic for series in found]
    matched = [_tau_at_equal_depth(series, truth, depth) for series in found]
    places = [int(truth.rank()[series.idxmin()]) for series in found]
    text = ", ".join(map(str, places))
    print(f"{arm:<34}{_mean_and_error(taus):>16}{_mean_and_error(matched):>18}{text:>15}")


def _tau_at_equal_depth(found: pd.Series, truth: pd.Series, depth: pd.Series) -> float:
    """Kendall's tau over the pairs of candidates of equal depth."""
    agreements = [
        np.sign(found[a] - found[b]) * np.sign(truth[a] - truth[b])
        for group in depth.groupby(depth).groups.values()
        for i, a in enumerate(group)
        for b in group[:i]
    ]
    return float(np.mean(agreements))


def _mean_and_error(values: list[float]) -> str:
    mean = f"{np.mean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1) / len(values) ** 0.5:.2f}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Supernet ratings against candidates trained apart.")
    parser.add_argument("--data", default="fashion_mnist")
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
