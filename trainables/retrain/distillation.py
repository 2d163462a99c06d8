"""Distillation from a teacher in the training of a network: its answers, and its features behind each block.

Source: the answers are those of Hinton et al. (arXiv 1503.02531), added to the labels' loss with a weight of their own.
The features are compared as in the search of blocks, by the mean squared error over the variance of each of the
teacher's channels; 1x1 convolutions beside the network, which are dropped at the end, see to widths that differ [our
reading]. The teacher in steps is PocketNet's (Boutros et al., arXiv 2108.10710): the student's epoch e learns from the
teacher of its epoch e; where their numbers of epochs differ, from the one as far on [our reading].
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

from nasray.search_spaces.chain.network import Network
from nasray.trainables.core.losses import feature_loss, logit_loss
from nasray.trainables.cutting.adapters import MapShape, exit_adapter
from nasray.trainables.cutting.cutting import CutTeacher
from nasray.trainables.settings.training import DistillationConfig
from nasray.trainables.supervised.guide import Taught

LOGIT_DISTANCE, FEATURE_DISTANCE = "logit_distance", "feature_distance"

TeacherOfEpoch = Callable[[int], CutTeacher]
"""Gives the teacher of the student's epoch, from 0, on the student's device."""


class Distillation:
    """The teacher of a training.

    Attributes:
        adapters: Per block, from the student's width to the teacher's; trained beside the student.
    """

    def __init__(self, adapters: nn.ModuleList, teacher: TeacherOfEpoch, config: DistillationConfig) -> None:
        self.adapters = adapters
        self._teacher_of, self._config = teacher, config
        self._teacher: CutTeacher | None = None

    def start_epoch(self, epoch: int) -> None:
        """Begin an epoch, counted from 0."""
        self._teacher = self._teacher_of(epoch)

    def __call__(self, student: Network, images: Tensor) -> Taught:
        """The student's answer to images [B, C, H, W], and how far it is from the teacher of this epoch."""
        assert self._teacher is not None
        features = list(accumulate(student.blocks, lambda maps, block: block(maps), initial=images))[1:]
        logits = student.head(features[-1]).float()
        up_to = len(features) + (self._config.logits > 0)
        with torch.no_grad():
            _, *targets = map(Tensor.float, self._teacher.features(images, up_to=up_to))
        terms: dict[str, tuple[float, Tensor]] = {}
        if self._config.logits:
            terms[LOGIT_DISTANCE] = self._config.logits, self._logit_distance(logits, targets[-1])
        if self._config.features:
            terms[FEATURE_DISTANCE] = self._config.features, self._feature_distance(features, targets)
        loss = torch.stack([weight * distance for weight, distance in terms.values()]).sum()
        return Taught(logits, loss, {name: distance.detach() for name, (_, distance) in terms.items()})

    def state_dict(self) -> dict[str, Any]:
        """The adapters' weights; the teacher follows from the epoch."""
        return self.adapters.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.adapters.load_state_dict(state)

    def _logit_distance(self, logits: Tensor, target: Tensor) -> Tensor:
        """temperature² KL(teacher || student), the mean over the batch."""
        probabilities = (target / self._config.temperature).softmax(dim=-1)
        return logit_loss(probabilities, logits, self._config.temperature)

    def _feature_distance(self, features: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        """The normalised squared error, the mean over the blocks."""
        distances = [
            feature_loss(adapter(maps).float(), target, "normalized_mse")
            for adapter, maps, target in zip(self.adapters, features, targets, strict=False)
        ]
        return torch.stack(distances).mean()


def distances(config: DistillationConfig) -> list[str]:
    """The names of the distances from the teacher that a training with this config reports."""
    weights = {LOGIT_DISTANCE: config.logits, FEATURE_DISTANCE: config.features}
    return [name for name, weight in weights.items() if weight]


def build_adapters(
    student_shapes: Sequence[MapShape], teacher_shapes: Sequence[tuple[int, ...]]
) -> nn.ModuleList:
    """Per block from the student's maps (C, H, W) to the teacher's features; nothing where they agree."""
    return nn.ModuleList(
        exit_adapter(own, taught, always=False)
        for own, taught in zip(student_shapes, teacher_shapes, strict=True)
    )


def teacher_epoch(epoch: int, num_epochs: int, num_teacher_epochs: int) -> int:
    """The teacher's epoch, from 1, that is as far on as the student's `epoch`, from 0; the last one meets the last."""
    return -(-(epoch + 1) * num_teacher_epochs // num_epochs)
