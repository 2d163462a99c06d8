"""A search step: architecture parameters learn from one half of the images, weights from the other.

Source: DARTS (Liu et al., ICLR 2019, arXiv 1806.09055), algorithm 1, with the distillation of SD-DARTS (Zhu et al.,
arXiv 2302.05629) [our reading]: L = CE + weight * temperature^2 * KL(vote || present supernet).
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasray.trainables.core.reported import Reported
from nasray.trainables.sd_darts import architect
from nasray.trainables.sd_darts.early_stopping import stop_epoch
from nasray.trainables.sd_darts.halves import Batch, Halves
from nasray.trainables.sd_darts.sharpness.measurement import EIGENVALUE, MEASURED, PULL, Measurement
from nasray.trainables.sd_darts.supernets.supernet import Supernet, mean_entropy
from nasray.trainables.sd_darts.voting import votes
from nasray.trainables.sd_darts.voting.self_distillation import SelfDistillation
from nasray.trainables.settings.sd_darts import SdDartsConfig

Pair = tuple[Batch, Batch]
Values = dict[str, Tensor]


class SdDarts:
    """A `Method` of the epoch loop: the search of a differentiable supernet.

    Attributes:
        architectures: The architecture that the alphas stood for after each epoch.
        choice_weights: The weight of each choice after each epoch, by the name of its alpha.
        chosen_epoch: Which of them, from 0, is the result; the last one unless the search was stopped.
    """

    def __init__(
        self,
        supernet: Supernet,
        halves: Halves,
        measurement: Measurement,
        distillation: SelfDistillation | None,
        config: SdDartsConfig,
    ) -> None:
        self.num_epochs = config.epochs
        self.architectures: list[str] = []
        self.choice_weights: list[dict[str, list[Any]]] = []
        self.chosen_epoch = config.epochs - 1
        self._supernet, self._halves, self._config = supernet, halves, config
        self._measurement, self._distillation = measurement, distillation
        self._eigenvalues: dict[int, float] = {}
        self._epoch = 0
        self._optimizer = torch.optim.SGD(
            supernet.network_parameters(),
            config.lr,
            config.momentum,
            weight_decay=config.weight_decay,
            nesterov=config.nesterov,
        )
        self._alpha_optimizer = torch.optim.Adam(
            supernet.alphas(), config.alpha_lr, config.alpha_betas, weight_decay=config.alpha_weight_decay
        )

    def start_epoch(self, epoch: int) -> Iterable[Pair]:
        """Pairs of batches (weights' half, alphas' half), with this epoch's learning rate."""
        self._epoch = epoch
        cosine = 0.5 * (1 + math.cos(math.pi * epoch / self._config.epochs))
        for group in self._optimizer.param_groups:
            group["lr"] = self._config.lr_min + (self._config.lr - self._config.lr_min) * cosine
        self._supernet.train()
        if self._distillation is not None:
            self._distillation.start_epoch(epoch)
        return self._halves.batches(epoch, self._config.batch_size)

    def step(self, batch: Pair) -> tuple[Mapping[str, Tensor], int]:
        """One update of the alphas and one of the weights, in the configured order."""
        train, val = batch
        target = self._target(train, "weights")
        values: Values = {}
        if self._config.order == "weights_first":
            values |= self._weight_step(train, target)
        if self._epoch >= self._config.alpha_start_epoch:
            values |= self._alpha_step(train, val, target)
        if self._config.order == "alpha_first":
            values |= self._weight_step(train, target)
        if self._distillation is not None:
            self._distillation.after_step()
        return values, len(train.rows)

    def evaluate(self, epoch: int) -> dict[str, float | str]:
        """What is measured of the supernet after the epoch, and the architecture that its alphas stand for."""
        architecture = self._supernet.discretize()
        self.architectures.append(architecture)
        weights = self._supernet.weights()
        self.choice_weights.append({name: weight.tolist() for name, weight in weights.items()})
        metrics: dict[str, float | str] = {
            "architecture": architecture,
            "num_skips": float(self._supernet.num_skips(architecture)),
            "alpha_entropy": mean_entropy(weights).item(),
        }
        if self._measurement.is_due(epoch, self.num_epochs):
            measured = self._measurement.measure(self._supernet, architecture, self._distillation)
            metrics |= measured
            self._eigenvalues[epoch] = measured[EIGENVALUE]
            self._stop_early(epoch)
        if self._distillation is not None:
            self._distillation.after_epoch()
        return metrics

    def state_dict(self) -> dict[str, Any]:
        """Weights, alphas, optimisers, teachers, and what the early stop depends on."""
        state = {
            "supernet": self._supernet.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "alpha_optimizer": self._alpha_optimizer.state_dict(),
            "architectures": list(self.architectures),
            "choice_weights": list(self.choice_weights),
            "eigenvalues": dict(self._eigenvalues),
            "num_epochs": self.num_epochs,
            "chosen_epoch": self.chosen_epoch,
        }
        if self._distillation is not None:
            state["distillation"] = self._distillation.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`; unchanged where that fails.

        Raises:
            DamagedCheckpointError: A teacher's file is missing or has changed.
        """
        if self._distillation is not None:
            self._distillation.load_state_dict(state["distillation"])
        self._supernet.load_state_dict(state["supernet"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._alpha_optimizer.load_state_dict(state["alpha_optimizer"])
        self.architectures = list(state["architectures"])
        self.choice_weights = list(state["choice_weights"])
        self._eigenvalues = dict(state["eigenvalues"])
        self.num_epochs, self.chosen_epoch = state["num_epochs"], state["chosen_epoch"]

    def _target(self, batch: Batch, part: str) -> Tensor | None:
        """What the teachers say of the batch, if they have a say in this part's loss."""
        if self._distillation is None or not self._distillation.applies_to(part):
            return None
        return self._distillation.target(batch)

    def _weight_step(self, train: Batch, target: Tensor | None) -> Values:
        """One update of the weights; the alphas are constants."""
        weights = {name: weight.detach() for name, weight in self._supernet.weights().items()}
        logits = self._supernet(train.images, weights)
        loss, values = self._loss(logits, train, target)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self._config.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self._supernet.network_parameters(), self._config.gradient_clip)
        self._optimizer.step()
        if self._distillation is not None:
            self._distillation.record(train, logits)
        right = (logits.detach().argmax(dim=1) == train.labels).float().mean()
        return {f"train_{name}": value for name, value in values.items()} | {"train_accuracy": right}

    def _alpha_step(self, train: Batch, val: Batch, train_target: Tensor | None) -> Values:
        """One update of the alphas; the weights are constants, or one virtual step ahead."""
        target = self._target(val, "alpha")
        values: Values = {}

        def val_loss() -> Tensor:
            loss, found = self._loss(self._supernet(val.images), val, target)
            values.update(found)
            return loss

        def train_loss() -> Tensor:
            return self._loss(self._supernet(train.images), train, train_target)[0]

        alphas = self._supernet.alphas()
        if self._config.second_order:
            parameters = self._supernet.network_parameters()
            gradients = architect.second_order(
                train_loss,
                val_loss,
                parameters,
                alphas,
                self._optimizer,
                buffers=list(self._supernet.buffers()),
            )
        else:
            gradients = architect.first_order(val_loss, alphas)
        for alpha, gradient in zip(alphas, gradients, strict=True):
            alpha.grad = gradient
        self._alpha_optimizer.step()
        return {f"val_{name}": value for name, value in values.items()}

    def _loss(self, logits: Tensor, batch: Batch, target: Tensor | None) -> tuple[Tensor, Values]:
        """The loss, and its parts by name: cross-entropy, and what the teachers add."""
        cross_entropy = F.cross_entropy(logits, batch.labels)
        values = {"loss": cross_entropy.detach()}
        if target is None or self._distillation is None:
            return cross_entropy, values
        distillation = self._distillation.loss(target, logits)
        values |= {"distillation_loss": distillation.detach(), "vote_entropy": votes.entropy(target)}
        return cross_entropy + distillation, values

    def _stop_early(self, epoch: int) -> None:
        """End the search here if the eigenvalue has grown too much, with the architecture from before it grew."""
        rule = self._config.early_stopping
        if rule is None:
            return
        chosen = stop_epoch(
            list(self._eigenvalues.values()),
            window=rule.window,
            lag=rule.lag,
            factor=rule.factor,
            earliest=rule.earliest,
        )
        if chosen is not None:
            self.num_epochs = epoch + 1
            self.chosen_epoch = list(self._eigenvalues)[chosen]


def reported(config: SdDartsConfig) -> Reported:
    """The figures that a search with this config reports."""
    after_epochs = {"train_loss", "train_accuracy", "num_skips", "alpha_entropy"}
    by_the_end: set[str] = set()
    (after_epochs if config.alpha_start_epoch == 0 else by_the_end).add("val_loss")
    (after_epochs if config.measure.every_epochs == 1 else by_the_end).update(MEASURED)
    if config.teachers is not None:
        parts = {"weights": "train", "alpha": "val"}
        taught = [part for name, part in parts.items() if config.teachers.applies_to in (name, "both")]
        by_the_end |= {f"{part}_{name}" for part in taught for name in ("distillation_loss", "vote_entropy")}
        by_the_end |= {PULL} if config.teachers.applies_to != "alpha" else set()
    return Reported.of_training(after_epochs, by_the_end)
