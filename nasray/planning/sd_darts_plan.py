"""The units of an SD-DARTS search, or of a study that compares its settings."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from nasray.run.folder import RunFolder
from nasray.scheduling.unit import Unit
from nasray.search_spaces.build import build_space
from nasray.search_spaces.costs.cost import measure
from nasray.search_spaces.settings import SpaceConfig
from nasray.settings.experiment import ExperimentConfig
from nasray.trainables.inputs import UnitInputs
from nasray.trainables.retrain.trainable import RetrainFoundSpec
from nasray.trainables.sd_darts.trainable import SdDartsSpec, build_supernet
from nasray.trainables.settings.sd_darts import SdDartsConfig

SD_DARTS = "sd_darts"


@dataclass(frozen=True, slots=True)
class StudyRun:
    """One run of a study.

    Attributes:
        space: Name of the space.
        arm: Name of the arm.
        seed: The seed.
        search: What searches.
        retraining: What trains the architecture that was found.
    """

    space: str
    arm: str
    seed: int
    search: SdDartsSpec
    retraining: RetrainFoundSpec


def search_unit(config: SdDartsConfig, folder: RunFolder, inputs: UnitInputs) -> Unit:
    """The one search of an experiment."""
    own = inputs.without_teacher()
    spec = SdDartsSpec(name=SD_DARTS, folder=folder.unit(SD_DARTS), inputs=own, config=config)
    return Unit(spec, cost=_work(config, _forward_macs(own.search_space, inputs), inputs))


def study_runs(config: ExperimentConfig, folder: RunFolder, inputs: UnitInputs) -> Iterator[StudyRun]:
    """Every arm of the study in every space with every seed."""
    study = config.study
    assert study is not None
    arms = {arm: config.arm(arm) for arm in study.arms}
    for space_name, space in (study.spaces or {config.search_space.source: config.search_space}).items():
        for arm, settings in arms.items():
            for seed in study.seeds:
                own = inputs.without_teacher(seed, space)
                name = f"{space_name}/{arm}/seed_{seed}"
                search_name, retraining_name = f"{SD_DARTS}/{name}", f"retrain/{name}"
                search = SdDartsSpec(
                    name=search_name,
                    folder=folder.unit(search_name),
                    inputs=own,
                    config=settings,
                    arm=arm,
                )
                retraining = RetrainFoundSpec(
                    name=retraining_name,
                    folder=folder.unit(retraining_name),
                    inputs=own,
                    search=search,
                    config=study.retrain,
                )
                yield StudyRun(space_name, arm, seed, search, retraining)


def study_units(config: ExperimentConfig, folder: RunFolder, inputs: UnitInputs) -> Iterator[Unit]:
    """The units of all runs of the study."""
    macs: dict[str, float] = {}
    for run in study_runs(config, folder, inputs):
        if run.space not in macs:
            macs[run.space] = _forward_macs(run.search.inputs.search_space, inputs)
        yield Unit(run.search, cost=_work(run.search.config, macs[run.space], inputs))
        # At most: the found network is a part of the supernet.
        retraining = 3.0 * run.retraining.config.epochs * inputs.summary.num_train * macs[run.space]
        yield Unit(run.retraining, needs=(run.search.name,), cost=retraining)


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
