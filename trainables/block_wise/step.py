"""Training a cell's supernet: one path per step, distilled from the teacher's block.

Source: DNA (arXiv 1911.13053), equation 4 with its released settings; see `config.py` for each deviation.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from nasray.trainables.block_wise.block_data import BlockData
from nasray.trainables.block_wise.metrics import TargetScale, relative_l1
from nasray.trainables.block_wise.supernet import CellSupernet, Path
from nasray.trainables.core.losses import feature_loss
from nasray.trainables.core.optimizer_step import OptimizerStep
from nasray.trainables.core.seeding import generator
from nasray.trainables.settings.block_distillation import BlockDistillationConfig


class BlockDistillation:
    """A `Method` of the epoch loop: the supernet of one cell, learning to give the teacher's output for its input.

    Attributes:
        after_epochs: The figures that every epoch ends with.
    """

    after_epochs = ("train_loss", "held_out_relative_l1")

    def __init__(
        self,
        supernet: CellSupernet,
        data: BlockData,
        config: BlockDistillationConfig,
        *,
        block: int,
        seed: int,
        name: str,
    ) -> None:
        self.num_epochs = config.epochs
        self._supernet, self._data, self._config = supernet, data, config
        self._seed, self._name = seed, name
        self._lr = config.lr_of_block(block)
        optimizer = torch.optim.Adam(parameter_groups(supernet, config.weight_decay), lr=self._lr)
        self._optimizer_step = OptimizerStep(
            self._loss, [supernet], optimizer, data.compute, compiled=supernet.operations()
        )
        self._paths: Iterator[Path] = iter(())

    def start_epoch(self, epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
        """Batches of teacher features (block input, block output), with rate and paths of this epoch."""
        self._optimizer_step.set_rate(self._lr * self._config.lr_decay**epoch)
        rng = generator(self._seed, self._name, "paths", epoch)
        self._paths = sample_paths(self._supernet, self._config.paths, rng)
        self._supernet.train()
        return self._data.train_batches(epoch, self._config.batch_size)

    def step(self, batch: tuple[Tensor, Tensor]) -> tuple[Mapping[str, Tensor], int]:
        """One update of the weights of one path."""
        features, target = batch
        loss = self._optimizer_step(features, target, next(self._paths))
        self._optimizer_step.update(loss)
        return {"train_loss": loss.detach()}, len(features)

    @torch.no_grad()
    def evaluate(self, epoch: int) -> dict[str, float]:
        """Relative L1 of some sampled paths, the same ones after every epoch, on the held-out images.

        Batch norm uses the statistics of the batch: a supernet's running ones mix all paths.
        """
        rng = generator(self._seed, self._name, "evaluation")
        paths = [self._supernet.uniform_path(rng) for _ in range(self._config.num_evaluation_paths)]
        batches = self._data.held_out_batches(self._config.rating.num_batches)
        scale = TargetScale.measure(target for _, target in batches)
        errors = [
            relative_l1(self._supernet(features, path), target, scale)
            for features, target in batches
            for path in paths
        ]
        return {"held_out_relative_l1": float(np.mean(errors))}

    def state_dict(self) -> dict[str, Any]:
        """Weights and optimiser; paths and batches follow from the seed and the epoch."""
        return {"supernet": self._supernet.state_dict(), "optimizer_step": self._optimizer_step.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self._supernet.load_state_dict(state["supernet"])
        self._optimizer_step.load_state_dict(state["optimizer_step"])

    def _loss(self, features: Tensor, target: Tensor, path: Path) -> Tensor:
        """The loss of one path."""
        return feature_loss(self._supernet(features, path).float(), target, self._config.loss)


def sample_paths(
    supernet: CellSupernet, way: Literal["uniform", "fair"], rng: np.random.Generator
) -> Iterator[Path]:
    """Paths without end, uniform or in fair rounds."""
    while True:
        if way == "uniform":
            yield supernet.uniform_path(rng)
        else:
            yield from supernet.fair_round(rng)


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameters with weight decay, and those of one dimension (norms, biases) without."""
    parameters = list(module.parameters())
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
