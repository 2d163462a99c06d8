"""The study of a sweep: Optuna's record of its trials, which outlives a launch."""

import shutil
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from nasray.errors import UserError
from nasray.scheduling.schedule import FAILURE
from nasray.settings.experiment import flatten
from nasray.settings.sweeps import Domain, SweepConfig
from nasray.storage.sqlite_url import sqlite_url
from nasray.sweeps.unit import SweepFolder

STUDY = "sweep"
_DEFINITION = "definition"
_RESULTS = (TrialState.COMPLETE, TrialState.PRUNED)


def open_study(sweep: SweepConfig, folder: SweepFolder) -> optuna.Study:
    """The sweep's study, as an earlier launch left it or new; one without a single result makes way for another sweep.

    Raises:
        UserError: It belongs to another sweep; the message names the differences.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.path.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=storage_of(folder),
        study_name=STUDY,
        directions=[
            StudyDirection.MINIMIZE if mode == "min" else StudyDirection.MAXIMIZE for mode in sweep.modes
        ],
        load_if_exists=True,
    )
    definition = sweep.model_dump(mode="json", exclude={"num_trials"})
    earlier = study.user_attrs.get(_DEFINITION)
    if earlier is None:
        study.set_user_attr(_DEFINITION, definition)
    elif earlier != definition:
        if study.get_trials(deepcopy=False, states=_RESULTS):
            raise UserError(
                f"{folder.path} belongs to another sweep; move it away or undo:\n"
                + "\n".join(f"  sweep.{line}" for line in _differences(earlier, definition))
            )
        shutil.rmtree(folder.path)
        return open_study(sweep, folder)
    return study


def fail_interrupted(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that were running when their driver died; from now on they are failed, and count for nothing."""
    trials = study.get_trials(states=(TrialState.RUNNING,))
    for trial in trials:
        study.tell(trial.number, state=TrialState.FAIL)
    return trials


def num_ended(study: optuna.Study) -> int:
    """How many trials ended by themselves: complete, pruned, or failed with a reason."""
    trials = study.get_trials(deepcopy=False)
    return sum(trial.state in _RESULTS or FAILURE in trial.user_attrs for trial in trials)


def num_begun(study: optuna.Study) -> int:
    """How many trials there are, running ones among them, but for those that were interrupted."""
    trials = study.get_trials(deepcopy=False)
    return sum(trial.state != TrialState.FAIL or FAILURE in trial.user_attrs for trial in trials)


def distribution(domain: Domain) -> BaseDistribution:
    """The domain as Optuna has it."""
    if domain.choices is not None:
        return CategoricalDistribution(domain.choices)
    kind = IntDistribution if domain.is_whole else FloatDistribution
    step = {} if domain.step is None else {"step": domain.step}
    return kind(domain.low, domain.high, log=domain.log, **step)  # type: ignore[arg-type]


def sampler(sweep: SweepConfig, seed: int) -> BaseSampler:
    """The sampler that suggests one trial."""
    seed %= 2**32
    kind = sweep.sampler
    if kind == "auto":
        kind = "tpe" if len(sweep.metrics) == 1 else "nsga2"
    if kind == "nsga2":
        return NSGAIISampler(population_size=sweep.population_size, seed=seed)
    return TPESampler(seed=seed) if kind == "tpe" else RandomSampler(seed=seed)


def storage_of(folder: SweepFolder) -> RDBStorage:
    """Where the sweep's study is kept.

    Raises:
        UserError: The file is one that this Optuna cannot read.
    """
    url = sqlite_url(folder.study).replace("{", "{{").replace("}", "}}")  # Optuna fills in a template
    try:
        return RDBStorage(url)
    except (RuntimeError, SQLAlchemyError) as error:
        reason = " ".join(str(error).split()).replace("$STORAGE_URL", sqlite_url(folder.study))
        raise UserError(
            f"{folder.study} must be a study of this version of Optuna, but opening it failed ({reason}): upgrade it, "
            "or move the folder away and begin the sweep anew"
        ) from None


def _differences(earlier: dict[str, Any], now: dict[str, Any]) -> list[str]:
    theirs, ours = flatten(earlier), flatten(now)
    return [
        f"{key}: {theirs.get(key)} -> {ours.get(key)}"
        for key in sorted(theirs.keys() | ours.keys())
        if theirs.get(key) != ours.get(key)
    ]
