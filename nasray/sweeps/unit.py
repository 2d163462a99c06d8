"""The unit that a sweep trains again and again: planned anew for each trial, and held to what may be varied."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasray.errors import UserError
from nasray.evidence.plan import retrain_specs
from nasray.inputs.shared import planned_inputs, unit_inputs
from nasray.inputs.units import TEACHER
from nasray.planning.plan import plan_search
from nasray.run.folder import RunFolder
from nasray.scheduling.unit import Unit
from nasray.search_spaces.architecture import Architecture
from nasray.search_spaces.names.suggestion import did_you_mean
from nasray.settings.experiment import ExperimentConfig
from nasray.settings.loading import load_config
from nasray.settings.sweeps import Domain, SweepConfig, Value
from nasray.trainables.inputs import UnitInputs, UnitSpec
from nasray.trainables.units import parse_spec

_RETRAIN = "retrain/"


@dataclass(frozen=True, slots=True)
class SweepFolder:
    """Paths below the folder of a run's sweep.

    Attributes:
        path: The folder.
    """

    path: Path

    @classmethod
    def of(cls, folder: RunFolder) -> "SweepFolder":
        """The folder of a run's sweep."""
        return cls(folder.path / "sweep")

    @property
    def study(self) -> Path:
        """Optuna's study, an sqlite file."""
        return self.path / "study.db"

    @property
    def trials(self) -> Path:
        """The table of all trials."""
        return self.path / "trials.parquet"

    @property
    def best(self) -> Path:
        """The best trials' overrides."""
        return self.path / "best.yaml"

    @property
    def tune(self) -> Path:
        """Ray Tune's storage."""
        return self.path / "tune"

    def trial(self, number: int) -> RunFolder:
        """A trial's own folder, laid out as a run's."""
        return RunFolder(self.path / str(number))


@dataclass(frozen=True, slots=True)
class SweptUnit:
    """A unit of a run's plan, as it is under any overrides of the config.

    Attributes:
        name: The unit's name; of a training for real, "retrain/" and the architecture.
        config: The run's config, resolved.
        folder: The run's folder, where what the unit needs lies.
        inputs: What the run's units share.
    """

    name: str
    config: ExperimentConfig
    folder: RunFolder
    inputs: UnitInputs

    def spec(self, overrides: Sequence[str], folder: RunFolder) -> UnitSpec:
        """What the unit does under the overrides; what it writes goes to `folder`, laid out as in the run's folder.

        Raises:
            UserError: The overrides give no valid config.
        """
        spec = self._plan(overrides)[self.name].spec
        written = {
            path: folder.path / path.relative_to(self.folder.path) for path in (spec.folder, *spec.outputs)
        }
        return parse_spec(_with_paths(spec.model_dump(), written))

    def needed(self) -> list[Unit]:
        """The run's units whose results the unit reads, and those that these read.

        Raises:
            UserError: The plan has no such unit, or it does not train.
        """
        plan = self._plan()
        trained = [name for name, unit in plan.items() if unit.spec.tracked is not None]
        if self.name not in trained:
            allowed = [name for name in trained if not name.startswith(_RETRAIN)]
            raise UserError(
                f"sweep.unit must be a unit that trains, of {', '.join(allowed)} and {_RETRAIN}<architecture>, got "
                f"{self.name}" + did_you_mean(self.name, allowed)
            )
        needed: list[Unit] = []
        found = list(plan[self.name].needs)
        while found:
            unit = plan[found.pop()]
            if unit not in needed:
                needed.append(unit)
                found += unit.needs
        return needed

    def variants(self, domains: Mapping[str, Domain]) -> list[Unit]:
        """The unit at both ends, or with each choice, of each domain, all else as in the config.

        Raises:
            UserError: A value is not valid there, or changes what the unit needs, or none of a key's makes a
                difference to what the unit does.
        """
        needed = self.needed()
        variants = []
        for key, domain in domains.items():
            units = [self._variant(needed, key, value) for value in domain.extremes]
            if len({unit.spec.fingerprint for unit in units}) == 1:
                raise UserError(
                    f"sweep.domains must change what {self.name} does, but {key} makes no difference to it: take it out"
                )
            variants += units
        return variants

    def planned(self, sweep: SweepConfig) -> list[Unit]:
        """The variants of the unit that a sweep's domains ask for, held to its objectives.

        Raises:
            UserError: See `variants`; or the unit, or one of its variants, does not report an objective.
        """
        variants = self.variants(sweep.domains)
        compares_epochs = sweep.scheduler == "asha"
        for unit in variants:
            reported = unit.spec.reported
            known = sorted(reported.after_epochs if compares_epochs else reported.by_the_end)
            unknown = [metric for metric in sweep.metrics if metric not in known]
            if unknown:
                raise UserError(
                    f"sweep.objectives must be of the metrics that {self.name} reports, "
                    f"{'with asha after every epoch, ' if compares_epochs else ''}{', '.join(known) or 'none'}, got "
                    f"{unknown[0]}" + did_you_mean(unknown[0], known)
                )
        return variants

    def _variant(self, needed: Sequence[Unit], key: str, value: Value) -> Unit:
        changed = override(key, value)
        try:
            plan = self._plan([changed])
        except ValueError as error:
            raise UserError(f"sweep.domains must give valid configs; with {changed}, {error}") from None
        for unit in needed:
            if unit.name not in plan or plan[unit.name].spec.fingerprint != unit.spec.fingerprint:
                raise UserError(
                    f"sweep.domains must leave alone what {self.name} needs, but {changed} changes {unit.name}: take "
                    f"{key} out, or sweep with each of its values under a name of its own (name=... {changed})"
                )
        return plan[self.name]

    def _plan(self, overrides: Sequence[str] = ()) -> dict[str, Unit]:
        """The run's units by name, as they would be under the overrides; also the training that is swept, if one is."""
        config = load_config(self.config.model_dump(mode="json"), overrides)
        inputs = planned_inputs(config, self.folder)
        if (inputs.data.source, inputs.data.root) == (self.inputs.data.source, self.inputs.data.root):
            known = {name: getattr(self.inputs, name) for name in ("data_digest", "data_sample")}
            inputs = inputs.model_copy(update=known)
        else:
            inputs = unit_inputs(config, self.folder)
        if inputs == self.inputs:
            inputs = self.inputs  # whose data set is open already
        plan = plan_search(config, self.folder, inputs)
        units = {unit.name: unit for units in plan.values() for unit in units}
        if self.name.startswith(_RETRAIN):
            units[self.name] = _training(self.name.removeprefix(_RETRAIN), config, self.folder, inputs)
        return units


def _training(architecture: str, config: ExperimentConfig, folder: RunFolder, inputs: UnitInputs) -> Unit:
    """What trains an architecture for real with the first of the config's training seeds, and what that needs.

    Raises:
        UserError: The config does not say how networks are trained, or the architecture is not of the space.
    """
    settings = config.retrain
    if settings is None or config.comparison is not None:
        raise UserError(
            f"sweep.unit may be {_RETRAIN}<architecture> only where the config has a section retrain and no comparison"
        )
    try:
        inputs.space.cost(architecture)
    except ValueError as error:
        raise UserError(
            f"sweep.unit must name an architecture of the space behind {_RETRAIN}: {error}"
        ) from None
    spec = retrain_specs(settings, config, folder, inputs, architecture)[0]
    needs: list[str] = []
    if settings.needs_search:
        needs.append(TEACHER)
    if settings.init == "inherited":
        candidates = Architecture.parse(architecture).candidates
        needs += [f"block_{k}/{candidate.cell}" for k, candidate in enumerate(candidates)]
    return Unit(spec, needs=tuple(needs))


def override(key: str, value: Value) -> str:
    """The override that sets a key to a value, as "a.b=value"."""
    return f"{key}={json.dumps(value)}"


def _with_paths(value: Any, paths: Mapping[Path, Path]) -> Any:
    """Plain data in which some paths are replaced by others."""
    if isinstance(value, dict):
        return {key: _with_paths(item, paths) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_paths(item, paths) for item in value]
    return paths.get(value, value) if isinstance(value, Path) else value
