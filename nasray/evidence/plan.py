"""The units of the evidence: a training per network and seed, and the measurement of the stitched networks."""

from collections.abc import Iterator, Sequence

import numpy as np

from nasray.errors import UserError
from nasray.methods.method import trained_cells
from nasray.run.folder import RunFolder, retrain_unit
from nasray.scheduling.unit import Unit
from nasray.settings.evidence import EvidenceConfig
from nasray.settings.experiment import ExperimentConfig
from nasray.trainables.block_wise.units.cell_target import CellTarget
from nasray.trainables.block_wise.units.stitch import StitchSpec
from nasray.trainables.inputs import SearchInputs, UnitInputs
from nasray.trainables.retrain.trainable import RetrainSpec

STITCHED = "stitched"


def reopen_to_train(folder: RunFolder, overrides: Sequence[str]) -> tuple[ExperimentConfig, EvidenceConfig]:
    """A run's config with changes, and how it says that networks are trained.

    Raises:
        UserError: The folder is not a run's, the changes would make it another's, or it does not say how.
    """
    config = folder.reopen(overrides)
    if config.retrain is None:
        raise UserError(
            f"retrain must say how networks are trained, but the config of {folder.path} with these changes has null: "
            "add retrain.train.epochs=20, say"
        )
    return config, config.retrain


def any_trainings(config: ExperimentConfig, folder: RunFolder, inputs: UnitInputs) -> list[RetrainSpec]:
    """The trainings of any one architecture, which ask of a node what the evidence will."""
    assert config.retrain is not None
    architecture = str(inputs.space.sample(np.random.default_rng(0)))
    return retrain_specs(config.retrain, config, folder, inputs, architecture)


def retrain_specs(
    settings: EvidenceConfig,
    config: ExperimentConfig,
    folder: RunFolder,
    inputs: UnitInputs,
    architecture: str,
) -> list[RetrainSpec]:
    """What trains an architecture, a spec per training seed."""
    # A training from scratch depends on no teacher, so that its result holds for others.
    own = inputs if settings.needs_search else inputs.without_teacher()
    targets: tuple[CellTarget, ...] = ()
    if settings.init == "inherited":
        assert isinstance(inputs, SearchInputs)
        targets = trained_cells(config, folder, inputs)
    return [
        RetrainSpec(
            name=(name := retrain_unit(architecture, settings.training, seed)),
            folder=folder.unit(name),
            inputs=own,
            architecture=architecture,
            config=settings.training,
            training_seed=seed,
            targets=targets,
        )
        for seed in settings.training_seeds
    ]


def retrain_units(specs: Sequence[RetrainSpec], inputs: UnitInputs) -> Iterator[Unit]:
    """The units of the trainings."""
    for spec in specs:
        macs = inputs.space.cost(spec.architecture).num_macs
        # A training step costs three forward passes.
        yield Unit(spec, cost=3.0 * spec.config.train.epochs * inputs.summary.num_train * macs)


def stitch_spec(
    config: ExperimentConfig, folder: RunFolder, inputs: SearchInputs, architectures: Sequence[str]
) -> StitchSpec:
    """What measures the trained blocks of the architectures, put together."""
    return StitchSpec(
        name=STITCHED,
        folder=folder.unit(STITCHED),
        inputs=inputs,
        architectures=tuple(architectures),
        targets=trained_cells(config, folder, inputs),
    )
