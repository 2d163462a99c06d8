"""Supervised training of a classifier: one update."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.accuracy import accuracy
from trainables.data import ImageData
from trainables.retrain.config import TrainConfig
from trainables.training import ComputeConfig


class SupervisedTraining:
    """A `Method` of the epoch loop: a classifier learns the labels of the training images."""

    def __init__(
        self, model: nn.Module, images: ImageData, config: TrainConfig, compute: ComputeConfig, *, seed: int
    ) -> None:
        self.num_epochs = config.epochs
        self._model, self._images, self._config, self._compute = model, images, config, compute
        self._seed, self._device = seed, compute.prepare()
        self._optimizer = _optimizer(model, config)
        self._steps_per_epoch = -(-len(images.train) // config.batch_size)
        self._step = 0

    def start_epoch(self, epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
        """Batches of (augmented) images and labels, in this epoch's order."""
        self._model.train()
        self._step = epoch * self._steps_per_epoch
        return self._images.train.batches(
            self._config.batch_size, seed=self._seed, epoch=epoch, shuffle=True, augment=True
        )

    def step(self, batch: tuple[Tensor, Tensor]) -> tuple[Mapping[str, Tensor], int]:
        """One update of all weights."""
        images, labels = (self._compute.place(tensor, self._device) for tensor in batch)
        for group in self._optimizer.param_groups:
            group["lr"] = self._lr(self._step)
        logits = self._model(images)
        loss = F.cross_entropy(logits, labels, label_smoothing=self._config.label_smoothing)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self._config.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self._model.parameters(), self._config.gradient_clip)
        self._optimizer.step()
        self._step += 1
        right = (logits.detach().argmax(dim=1) == labels).float().mean()
        return {"train_loss": loss.detach(), "train_accuracy": right}, len(labels)

    def evaluate(self, epoch: int) -> dict[str, float]:
        """Accuracy on the held-out images; test images are left to the final evaluation."""
        return {"held_out_accuracy": accuracy(self._model, self._images.held_out, self._compute)}

    def state_dict(self) -> dict[str, Any]:
        """Weights and optimiser; order, augmentation and rate follow from the seed and the epoch."""
        return {"model": self._model.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])

    def _lr(self, step: int) -> float:
        """The learning rate of a step: linear warm-up, then a cosine to zero at the last step."""
        warmup = self._config.warmup_epochs * self._steps_per_epoch
        if step < warmup:
            return self._config.lr * (step + 1) / warmup
        progress = (step - warmup) / max(1.0, self._config.epochs * self._steps_per_epoch - warmup)
        return self._config.lr * 0.5 * (1 + math.cos(math.pi * progress))


def _optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            model.parameters(),
            config.lr,
            config.momentum,
            weight_decay=config.weight_decay,
            nesterov=config.momentum > 0,
        )
    return torch.optim.AdamW(model.parameters(), config.lr, weight_decay=config.weight_decay)
