"""Judgement of a teacher by labels: one that is right by chance is named, and refused where it claims to be trained."""

import numpy as np
import torch
from torch import nn

from nasray.errors import UserError
from nasray.trainables.core.guards.notes import LOGGER
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.settings.teacher import is_checkpoint
from nasray.trainables.supervised.accuracy import answers, num_right
from nasray.trainables.teacher.chance import Verdict, verdict

_AT_A_TIME = 16
_MOST_IMAGES = 256  # before anything runs; the teacher's unit looks at all


def held_out_accuracy(model: nn.Module, inputs: SearchInputs) -> float | None:
    """The share, 0 to 1, of held-out images that the teacher classifies rightly; None where its classes are others.

    Raises:
        UserError: It answers NaN; or it has weights, but is right no more often than by chance, and may not be.
    """
    if not has_the_datas_classes(inputs):
        return None
    images, right = inputs.images.held_out, 0
    for logits, labels in answers(model, images, inputs.compute):
        if logits.isnan().any():
            raise UserError(
                f"teacher {inputs.teacher.source} must answer numbers in evaluation mode, got NaN for held-out images: "
                "look for what divides by zero or overflows there, or lower teacher.train.lr where it is trained"
            )
        right += int(num_right(logits, labels))
    _judge(inputs, verdict(right, images.labels(range(len(images))).numpy()))
    return right / len(images)


@torch.no_grad()
def judge_at_hand(inputs: SearchInputs, model: nn.Module) -> None:
    """Judge a teacher with a checkpoint and no training to come by a sample, before anything runs, on the CPU.

    Args:
        inputs: Whose teacher; nothing is judged where the files of the images are not here.
        model: The whole teacher in evaluation mode.

    Raises:
        UserError: Like `held_out_accuracy`.
    """
    teacher = inputs.teacher
    if not is_checkpoint(teacher.weights) or teacher.train is not None or not inputs.summary.found:
        return
    if not has_the_datas_classes(inputs):
        return
    images = inputs.images.held_out
    num_images = min(len(images), _MOST_IMAGES)
    # Spread over all, since data sets may be in the order of their classes.
    positions = np.arange(num_images) * len(images) // num_images
    labels, num_right = images.labels(positions), 0
    for start in range(0, num_images, _AT_A_TIME):
        end = min(start + _AT_A_TIME, num_images)
        answers = model(images.images(positions[start:end])).argmax(dim=1)
        num_right += int((answers == labels[start:end]).sum())
        if not verdict(num_right, labels[:end].numpy()).by_chance:
            return
    _judge(inputs, verdict(num_right, labels.numpy()))


def has_the_datas_classes(inputs: SearchInputs) -> bool:
    """Whether the teacher tells the data's classes apart, so that its labels judge it."""
    return inputs.teacher.num_classes in (None, inputs.summary.num_classes)


def _judge(inputs: SearchInputs, found: Verdict) -> None:
    """Say or refuse what is right by chance.

    Raises:
        UserError: It is refused.
    """
    teacher = inputs.teacher
    if not found.by_chance:
        return
    claims = teacher.weights is not None and teacher.train is None
    if claims and found.enough_images and not teacher.allow_chance:
        raise UserError(
            f"teacher.weights must be those of a trained classifier of this data, but with {teacher.weights} it is "
            f"{found}: check that its classes are in the data's order and that data.mean and data.std are those it was "
            "trained with, or set teacher.allow_chance=true"
        )
    LOGGER.warning("The teacher is %s: what it teaches may be worth nothing", found)
