"""The unit of an SD-DARTS search."""

import torch

from nasray.errors import UserError
from nasray.methods.sd_darts.declaration import STAGE
from nasray.run.folder import RunFolder
from nasray.scheduling.unit import Unit
from nasray.search_spaces.build import build_space
from nasray.search_spaces.costs.cost import measure
from nasray.search_spaces.settings import SpaceConfig
from nasray.trainables.inputs import UnitInputs
from nasray.trainables.sd_darts.trainable import SdDartsSpec, build_supernet
from nasray.trainables.settings.sd_darts import SdDartsConfig


def search_unit(config: SdDartsConfig, folder: RunFolder, inputs: UnitInputs) -> Unit:
    """The one search of an experiment."""
    own = inputs.without_teacher()
    spec = SdDartsSpec(name=STAGE, folder=folder.unit(STAGE), inputs=own, config=config)
    return Unit(spec, cost=_work(config, _forward_macs(own.search_space, inputs), inputs))


def _forward_macs(space: SpaceConfig, inputs: UnitInputs) -> float:
    """Multiply-accumulates of the space's supernet for one image of the experiment's data."""
    shape = inputs.summary.input_shape
    with torch.device("meta"):
        supernet = build_supernet(build_space(space, shape, inputs.summary.num_classes))
    return measure(supernet, shape).num_macs


def _work(config: SdDartsConfig, forward_macs: float, inputs: UnitInputs) -> float:
    """Estimated multiply-accumulates, to start the longest units first.

    An image of either half costs about three forward passes an epoch; the second order's further passes double that.
    Each teacher that is evaluated sees the images of its half, or of both.
    """
    passes = (6.0 if config.second_order else 3.0) * config.epochs
    teachers = config.teachers
    if teachers is not None and teachers.mode == "forward":
        number = teachers.num_snapshots if teachers.teacher == "snapshots" else 1
        share = 1.0 if teachers.applies_to == "both" else 0.5
        passes += number * share * (config.epochs - teachers.first_epoch)
    return passes * inputs.summary.num_train * forward_macs


def check_halves(config: SdDartsConfig, inputs: UnitInputs) -> None:
    """Hold the space and the batches to the images, before anything is trained.

    Raises:
        UserError: The space does not fit the images, a half of these is smaller than a batch, or the search ends
            before its first snapshot.
    """
    _ = inputs.space
    half = inputs.summary.num_train // 2
    if half < config.batch_size:
        raise UserError(
            f"sd_darts trains on halves of the training images, which must hold a batch of {config.batch_size} each, "
            f"got {half}: lower its batch_size or raise data.num_train_images"
        )
    teachers, num_steps = (
        config.teachers,
        config.epochs * -(-(inputs.summary.num_train - half) // config.batch_size),
    )
    if teachers is not None and teachers.unit == "step" and teachers.every >= num_steps:
        raise UserError(
            f"self_distillation.every must be less than the {num_steps} steps of the search, got {teachers.every}: no "
            "snapshot would ever speak; lower it, or set its self_distillation to null, which is plain DARTS"
        )
