"""Trial of a teacher, before anything runs: that it keeps to what the later stages rely on."""

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasray.trainables.core.optimizer_step import OptimizerStep
from nasray.trainables.cutting.cutting import CutTeacher, cut, random_images, resolve_cuts
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.settings.training import TrainConfig
from nasray.trainables.supervised.mixing import mixing
from nasray.trainables.supervised.optimizer import build_optimizer
from nasray.trainables.teacher.teacher import build_untrained
from nasray.trainables.teacher.untrained import build_at_hand
from nasray.trainables.trials.module_trial import COMMON, Check, ModuleTrial, alike, try_module


@dataclass(frozen=True, slots=True)
class TriedTeacher:
    """What a trial found good.

    Attributes:
        model: The whole teacher in evaluation mode, as `build_at_hand` gives it.
        teacher: The same, cut; None where only the whole was tried.
        checks: What was tried.
        seconds: How long it took.
    """

    model: nn.Module
    teacher: CutTeacher | None
    checks: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        return f"teacher tried in {self.seconds:.1f} s: {', '.join(self.checks)}"


def try_teacher(inputs: SearchInputs, *, cuts: bool = True) -> TriedTeacher:
    """Try the teacher as it is before any training, on the CPU, on a few images of noise.

    Args:
        inputs: Whose teacher; weights that would have to be downloaded are left out.
        cuts: Whether it is cut as well, and the features behind its cuts are tried.

    Raises:
        UserError: It does not keep to what later stages rely on.
    """
    start = time.monotonic()
    config, space = inputs.teacher, inputs.space
    with torch.random.fork_rng(devices=[]):
        model = build_at_hand(inputs).eval()
        trial = ModuleTrial(
            f"teacher {config.source}",
            partial(build_untrained, config, space),
            model,
            random_images(model, space.input_shape),
        )
        checks: list[Check] = [("logits", partial(_logits, config.num_classes or space.num_classes)), *COMMON]
        if config.train is not None:
            checks.append(("a step of training", partial(_training, inputs, config.train)))
        names = try_module(trial, checks)
        teacher = None
        if cuts:
            found = resolve_cuts(model, config.cuts, space.input_shape, len(space.blocks))
            teacher = cut(model, found, space.input_shape)
            _check_features(trial, teacher, found)
            names = (*names, "features")
    return TriedTeacher(model, teacher, names, time.monotonic() - start)


def _logits(num_classes: int, trial: ModuleTrial) -> None:
    expected = [len(trial.inputs), num_classes]
    trial.require(
        list(trial.outputs.shape) == expected,
        f"give logits {expected}, one for each of {num_classes} classes",
        f"{list(trial.outputs.shape)}",
        "flatten them, or set teacher.num_classes to what it tells apart",
    )


def _training(inputs: SearchInputs, config: TrainConfig, trial: ModuleTrial) -> None:
    """One update by a batch of two, and by a single image if an epoch has batches of one."""
    num_classes, num_images = inputs.summary.num_classes, inputs.summary.num_train
    trial.require(
        trial.outputs.shape[1] >= num_classes,
        f"tell apart at least the data's {num_classes} classes where it is trained",
        f"{trial.outputs.shape[1]}",
        "raise teacher.num_classes, or leave out teacher.train",
    )
    smallest = num_images // -(-num_images // config.batch_size)
    trial.require(any(True for _ in trial.module.parameters()), "have parameters where it is trained", "none")
    labels = torch.tensor([0, num_classes - 1])
    for size in sorted({len(labels), min(smallest, len(labels))}, reverse=True):
        loss = _step(inputs, config, trial, trial.inputs[:size], labels[:size])
        trial.require(
            bool(loss.isfinite()),
            "have a finite loss in training",
            f"{float(loss)}",
            "lower teacher.train.lr",
        )


@torch.enable_grad()
def _step(
    inputs: SearchInputs, config: TrainConfig, trial: ModuleTrial, images: Tensor, labels: Tensor
) -> Tensor:
    """The loss of a copy's first update by these images."""
    model = copy.deepcopy(trial.module).train()
    mix, of_data = mixing(config, inputs.summary.num_classes), inputs.summary.num_classes
    num_classes = trial.outputs.shape[1]
    trial.require(
        mix is None or num_classes == of_data,
        f"tell apart the data's {of_data} classes where images are mixed in training",
        f"{num_classes}",
        "leave out teacher.num_classes, or set teacher.train.mixup and teacher.train.cutmix to 0",
    )
    images, target = (images, labels) if mix is None else mix(images, labels)

    def run() -> Tensor:
        logits = trial.run(model, images, "in training mode")
        trial.require(
            list(logits.shape) == [len(images), num_classes],
            f"give logits {[len(images), num_classes]} in training mode as in evaluation",
            f"{list(logits.shape)}",
        )
        return F.cross_entropy(logits.float(), target, label_smoothing=config.label_smoothing)

    compute = inputs.compute.model_copy(update={"compile": False})  # which takes minutes
    optimizer_step = OptimizerStep(run, [model], build_optimizer(list(model.parameters()), config), compute)
    loss: Tensor = optimizer_step()
    trial.require(
        loss.requires_grad, "give logits that depend on trainable parameters in training mode", "others"
    )
    optimizer_step.update(loss, config.gradient_clip)
    return loss.detach()


@torch.no_grad()
def _check_features(trial: ModuleTrial, teacher: CutTeacher, cuts: Sequence[str]) -> None:
    """Hold the features at all cuts to what the outputs are held to: finite, and of each image alone."""
    num_cuts = len(cuts)
    together = teacher.features(trial.inputs, up_to=num_cuts)[1:]
    alone = teacher.features(trial.inputs[:1], up_to=num_cuts)[1:]
    for name, of_all, of_one in zip(cuts, together, alone, strict=True):
        trial.require(
            bool(of_all.isfinite().all()), f"give finite features at cut {name!r}", "NaN or infinite ones"
        )
        trial.require(
            alike(of_one, of_all[:1]),
            f"give the same features at cut {name!r} for an image alone and in a batch in evaluation mode",
            "other features",
            "take no means over the batch there, and let norms use their running statistics",
        )
