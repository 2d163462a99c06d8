"""Training a cell's supernet without labels: what it makes of one view must tell what its average makes of another.

Source: DNA++ (arXiv 2403.01326) in our own reading, see `config.py`.
"""

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasray.trainables.block_wise.block_data import BlockData, Pair
from nasray.trainables.block_wise.self_supervision.heads import Heads, agreement_loss, spread, variance_loss
from nasray.trainables.block_wise.step import parameter_groups, sample_paths
from nasray.trainables.block_wise.supernet import CellSupernet, Path
from nasray.trainables.core.optimizer_step import OptimizerStep
from nasray.trainables.core.seeding import generator
from nasray.trainables.settings.self_supervision import SelfSupervisionConfig


class SelfSupervision:
    """A `Method` of the epoch loop: a cell's supernet that learns from its own moving average.

    Attributes:
        after_epochs: The figures that every epoch ends with.
        student: The supernet and its heads, as they are trained.
    """

    after_epochs = (
        "train_loss",
        "agreement_loss",
        "variance_loss",
        "held_out_dimension_std",
        "held_out_effective_rank",
    )

    def __init__(
        self,
        supernet: CellSupernet,
        heads: Heads,
        data: BlockData,
        config: SelfSupervisionConfig,
        *,
        block: int,
        seed: int,
        name: str,
    ) -> None:
        self.num_epochs = config.epochs
        self.student = _Network(supernet, heads)
        self._average = copy.deepcopy(self.student).requires_grad_(False)
        self._data, self._config, self._seed, self._name = data, config, seed, name
        self._lr = config.lr_of_block(block)
        optimizer = torch.optim.Adam(parameter_groups(self.student, config.weight_decay), lr=self._lr)
        self._optimizer_step = OptimizerStep(
            self._losses, [self.student], optimizer, data.compute, compiled=supernet.operations()
        )
        self._momentum = config.momentum

    def start_epoch(self, epoch: int) -> Iterable[Pair]:
        """Batches of two views of the block's input, with rate, momentum and paths of this epoch."""
        config = self._config
        self._optimizer_step.set_rate(self._lr * config.lr_decay**epoch)
        fallen = (1 + math.cos(math.pi * epoch / config.epochs)) / 2
        self._momentum = 1 - (1 - config.momentum) * fallen
        rng = generator(self._seed, self._name, "paths", epoch)
        self._paths = sample_paths(self.student.supernet, config.paths, rng)
        self.student.train()
        self._average.train()  # its batch norms use the batch's statistics, as the student's do
        return self._data.view_batches(epoch, config.batch_size)

    def step(self, batch: Pair) -> tuple[Mapping[str, Tensor], int]:
        """One update of the weights of the sampled paths, and of the average."""
        config = self._config
        students = [next(self._paths) for _ in range(config.num_student_paths)]
        targets = (
            students if config.shared_paths else [next(self._paths) for _ in range(config.num_target_paths)]
        )
        agreement, variance = self._optimizer_step(batch, students, targets)
        loss = agreement + config.variance_weight * variance
        self._optimizer_step.update(loss)
        self._follow()
        losses = {"train_loss": loss, "agreement_loss": agreement, "variance_loss": variance}
        return {name: value.detach() for name, value in losses.items()}, len(batch[0])

    @torch.no_grad()
    def evaluate(self, epoch: int) -> dict[str, float]:
        """Whether projections of held-out images still differ, by sampled paths, the same ones after every epoch."""
        rng = generator(self._seed, self._name, "evaluation")
        paths = [self.student.supernet.uniform_path(rng) for _ in range(self._config.num_evaluation_paths)]
        batches = self._data.held_out_batches(self._config.rating.num_batches)
        found = [spread(self.student.project(batch, path)) for batch, _ in batches for path in paths]
        return {f"held_out_{name}": float(np.mean([one[name] for one in found])) for name in found[0]}

    def state_dict(self) -> dict[str, Any]:
        """Weights, their average and the optimiser; paths, views and rates follow from the seed and the epoch."""
        return {
            "student": self.student.state_dict(),
            "average": self._average.state_dict(),
            "optimizer_step": self._optimizer_step.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.student.load_state_dict(state["student"])
        self._average.load_state_dict(state["average"])
        self._optimizer_step.load_state_dict(state["optimizer_step"])

    def _losses(
        self, views: Pair, students: Sequence[Path], targets: Sequence[Path]
    ) -> tuple[Tensor, Tensor]:
        """Both terms, each the mean over the student's paths and both ways between the views."""
        agreements, variances = [], []
        for view, other in (views, views[::-1]):
            target = self._target(other, targets)
            for path in students:
                projection = self.student.project(view, path)
                agreements.append(agreement_loss(self.student.heads.predictor(projection).float(), target))
                variances.append(variance_loss(projection))
        return torch.stack(agreements).mean(), torch.stack(variances).mean()

    @torch.no_grad()
    def _target(self, view: Tensor, paths: Sequence[Path]) -> Tensor:
        """The mean of the average's projections at unit length, [B, D]."""
        projections = [F.normalize(self._average.project(view, path), dim=1) for path in paths]
        return torch.stack(projections).mean(dim=0)

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average towards the student."""
        pairs = zip(self._average.parameters(), self.student.parameters(), strict=True)
        for average, weight in pairs:
            average.lerp_(weight, 1 - self._momentum)


class _Network(nn.Module):
    """A supernet with its heads."""

    def __init__(self, supernet: CellSupernet, heads: Heads) -> None:
        super().__init__()
        self.supernet, self.heads = supernet, heads

    def project(self, features: Tensor, path: Path) -> Tensor:
        """Projections [B, projection_width] of a path's output for the block's input [B, ...]."""
        return self.heads.project(self.supernet(features, path)).float()
