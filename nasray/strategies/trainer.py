"""Trainings that strategies ask for, as units of a run: those of its evidence, where these are the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from nasray.evidence.plan import retrain_specs, retrain_units
from nasray.execution.execution import Execution
from nasray.run.folder import RunFolder
from nasray.search_spaces.artefacts.columns import HELD_OUT_ACCURACY, TEST_ACCURACY
from nasray.settings.evidence import EvidenceConfig
from nasray.settings.experiment import ExperimentConfig
from nasray.strategies.contest import Outcome
from nasray.strategies.strategy import Training
from nasray.trainables.core.trainable import read_done
from nasray.trainables.inputs import UnitInputs
from nasray.trainables.retrain.trainable import RetrainSpec, read_retrained


@dataclass(frozen=True, slots=True)
class Trainer:
    """Trains networks of a run for real.

    Attributes:
        config: The run's config.
        settings: How networks are trained, and with which seeds; the first one is that of the searches.
        folder: The run's folder.
        inputs: What its units share.
        execution: What runs them.
    """

    config: ExperimentConfig
    settings: EvidenceConfig
    folder: RunFolder
    inputs: UnitInputs
    execution: Execution

    def search(self, trainings: Sequence[Training]) -> dict[Training, Outcome]:
        """How trainings with the first training seed end; the test images play no part.

        Raises:
            SearchFailedError: Some failed.
        """
        first_seed = self.settings.training_seeds[:1]
        specs = {training: self._specs(training, first_seed)[0] for training in trainings}
        self._run(list(specs.values()))
        return {training: _outcome(spec) for training, spec in specs.items()}

    def test(self, architectures: Sequence[str]) -> dict[str, list[float]]:
        """Accuracies of architectures on the test images, trained at full length with every training seed.

        Raises:
            SearchFailedError: Some trainings failed.
        """
        epochs = self.settings.train.epochs
        seeds = self.settings.training_seeds
        specs = {name: self._specs(Training(name, epochs), seeds) for name in architectures}
        self._run([spec for of_name in specs.values() for spec in of_name])
        return {
            name: [float(read_retrained(spec.folder)[TEST_ACCURACY]) for spec in of_name]
            for name, of_name in specs.items()
        }

    def _specs(self, training: Training, seeds: tuple[int, ...]) -> list[RetrainSpec]:
        """What makes a training, with each of the seeds; in a shorter one the schedule of the rate is shorter, too."""
        train = self.settings.train
        share = training.epochs / train.epochs  # exactly 1 in one of full length, which so remains what it is
        shorter = {
            "epochs": training.epochs,
            "warmup_epochs": train.warmup_epochs * share,
            "step_epochs": train.step_epochs * share,
        }
        settings = self.settings.model_copy(
            update={"train": train.model_copy(update=shorter), "training_seeds": seeds}
        )
        return retrain_specs(settings, self.config, self.folder, self.inputs, training.architecture)

    def _run(self, specs: Sequence[RetrainSpec]) -> None:
        units = list(retrain_units(specs, self.inputs))
        self.execution.run_missing(units, units)


def _outcome(spec: RetrainSpec) -> Outcome:
    done = read_done(spec.folder)
    assert done is not None
    seconds = sum(epoch.get("seconds", 0.0) for epoch in done["history"])
    return Outcome(float(read_retrained(spec.folder)[HELD_OUT_ACCURACY]), seconds)
