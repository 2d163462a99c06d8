"""Supervised training of a classifier: one update."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from nasray.search_spaces.chain.network import Network
from nasray.trainables.core.compute import place, prepare
from nasray.trainables.core.optimizer_step import OptimizerStep, parts_of
from nasray.trainables.core.process_group import current_group
from nasray.trainables.data.image_data import ImageData
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.training import TrainConfig
from nasray.trainables.supervised.accuracy import accuracy
from nasray.trainables.supervised.ema import moving_average
from nasray.trainables.supervised.guide import Guide
from nasray.trainables.supervised.mixing import mixing
from nasray.trainables.supervised.optimizer import build_optimizer, learning_rate


class SupervisedTraining:
    """A `Method` of the epoch loop: a classifier learns the labels of the training images, and what a teacher adds.

    Attributes:
        after_epochs: The figures that every epoch ends with, beside those that a teacher adds.
    """

    after_epochs = ("train_loss", "train_accuracy", "held_out_accuracy")

    def __init__(
        self,
        model: nn.Module,
        images: ImageData,
        config: TrainConfig,
        compute: ComputeConfig,
        *,
        seed: int,
        first_view: int = 0,
        guide: Guide | None = None,
    ) -> None:
        """The training of `model`, which is on the device, as is what `guide` trains beside it.

        Args:
            model: What is trained; a `Network` where there is a teacher.
            images: Train and held-out images are used.
            config: How it is trained.
            compute: Where.
            seed: Decides the order of the images.
            first_view: The view of the images in the first epoch; later ones follow it.
            guide: What a teacher adds, if there is one.
        """
        self.num_epochs = config.epochs
        self._model, self._images, self._config, self._compute = model, images, config, compute
        self._seed, self._first_view, self._device = seed, first_view, prepare(compute)
        self._guide = guide
        trained = [model] if guide is None else [model, guide.adapters]
        parameters = [parameter for module in trained for parameter in module.parameters()]
        optimizer = build_optimizer(parameters, config)
        self._average = moving_average(model, config.ema_decay) if config.ema_decay is not None else None
        self._optimizer_step = OptimizerStep(
            self._loss, trained, optimizer, compute, compiled=parts_of(model)
        )
        self._mix = mixing(config, images.num_classes)
        self._steps_per_epoch = -(-len(images.train) // config.batch_size)
        self._step = 0

    @property
    def trained(self) -> nn.Module:
        """What the training leaves: the model, or its moving average where there is one."""
        return self._model if self._average is None else self._average.module

    def start_epoch(self, epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
        """Batches of (augmented) images and labels, in this epoch's order."""
        self._model.train()
        self._step = epoch * self._steps_per_epoch
        if self._guide is not None:
            self._guide.start_epoch(epoch)
        view = self._first_view + epoch
        return self._images.train.batches(
            self._config.batch_size,
            seed=self._seed,
            epoch=view,
            shuffle=True,
            augment=True,
            num_workers=self._compute.num_workers,
            group=current_group(),
        )

    def step(self, batch: tuple[Tensor, Tensor]) -> tuple[Mapping[str, Tensor], int]:
        """One update of all weights."""
        mixed = batch if self._mix is None else self._mix(*batch)
        images, target = (place(self._compute, tensor, self._device) for tensor in mixed)
        self._optimizer_step.set_rate(learning_rate(self._config, self._step, self._steps_per_epoch))
        logits, loss, distances = self._optimizer_step(images, target)
        self._optimizer_step.update(loss, self._config.gradient_clip)
        if self._average is not None:
            self._average.update_parameters(self._model)
        self._step += 1
        # Of mixed images, the label with the larger share counts.
        labels = target if target.dim() == 1 else target.argmax(dim=1)
        right = (logits.detach().argmax(dim=1) == labels).float().mean()
        return {"train_loss": loss.detach(), "train_accuracy": right, **distances}, len(labels)

    def evaluate(self, epoch: int) -> dict[str, float]:
        """Accuracy on the held-out images; test images are left to the final evaluation."""
        return {"held_out_accuracy": accuracy(self.trained, self._images.held_out, self._compute)}

    def state_dict(self) -> dict[str, Any]:
        """Weights and optimiser; order, augmentation, rate and teacher follow from the seed and the epoch."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _loss(self, images: Tensor, target: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Logits [B, num_classes], the loss, and the distances from the teacher, for labels [B] or probabilities."""
        smoothing = self._config.label_smoothing
        if self._guide is None:
            logits = self._model(images).float()
            return logits, F.cross_entropy(logits, target, label_smoothing=smoothing), {}
        assert isinstance(self._model, Network)
        taught = self._guide(self._model, images)
        loss = F.cross_entropy(taught.logits, target, label_smoothing=smoothing) + taught.loss
        return taught.logits, loss, taught.distances

    def _parts(self) -> dict[str, Any]:
        """What has a state, by name."""
        parts = {
            "model": self._model,
            "optimizer_step": self._optimizer_step,
            "average": self._average,
            "distillation": self._guide,
        }
        return {name: part for name, part in parts.items() if part is not None}
