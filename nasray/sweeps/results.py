"""The results of a sweep: the table of its trials, and the best ones' overrides."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import yaml
from optuna.trial import FrozenTrial, TrialState

from nasray.scheduling.schedule import FAILURE
from nasray.search_spaces.files.atomic_file import write_parquet, write_text
from nasray.settings.sweeps import SweepConfig
from nasray.sweeps.unit import SweepFolder, override


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What a sweep gives.

    Attributes:
        folder: The sweep's folder.
        config: The sweep.
        trials: All trials, in the order in which they were suggested; columns are trial, state, the objectives, the
            swept keys, seconds, failure.
        best: The best trial; with several objectives, the Pareto front: those that no other beats in all of them.
        num_trials_run: Trials of this launch.
        seconds: Time of this launch.
    """

    folder: Path
    config: SweepConfig
    trials: pd.DataFrame
    best: tuple[FrozenTrial, ...]
    num_trials_run: int
    seconds: float


def best_trials(study: optuna.Study) -> tuple[FrozenTrial, ...]:
    """The best complete trial; with several objectives, the Pareto front; none where no trial is complete."""
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        return ()
    if len(study.directions) == 1:
        return (study.best_trial,)
    return tuple(sorted(study.best_trials, key=lambda trial: trial.number))


def trials_table(sweep: SweepConfig, trials: Sequence[FrozenTrial]) -> pd.DataFrame:
    """A row per trial; choices as in an override, since they may be of different types."""
    return pd.DataFrame([_row(sweep, trial) for trial in trials])


def write_results(
    table: pd.DataFrame, sweep: SweepConfig, best: Sequence[FrozenTrial], folder: SweepFolder
) -> None:
    """Leave the table of the trials, and the best ones' values and overrides."""
    write_parquet(folder.trials, table)
    settings = [
        {
            "trial": trial.number,
            "values": dict(zip(sweep.metrics, trial.values, strict=True)),
            "overrides": overrides_of(trial),
        }
        for trial in best
    ]
    write_text(folder.best, yaml.safe_dump({"unit": sweep.unit, "best": settings}, sort_keys=False))


def overrides_of(trial: FrozenTrial) -> list[str]:
    """What sets the config's keys to the trial's values, as "a.b=value"."""
    return [override(key, value) for key, value in trial.params.items()]


def _row(sweep: SweepConfig, trial: FrozenTrial) -> dict[str, Any]:
    """A trial as a row; a pruned one has the objective of its last epoch."""
    params = {
        key: trial.params.get(key) if domain.choices is None else json.dumps(trial.params.get(key))
        for key, domain in sweep.domains.items()
    }
    state = trial.state.name.lower()
    return {
        "trial": trial.number,
        "state": "interrupted" if state == "fail" and FAILURE not in trial.user_attrs else state,
        **dict.fromkeys(sweep.metrics),
        **dict(zip(sweep.metrics, trial.values or (), strict=False)),  # noqa: PD011 - of no frame
        **params,
        "seconds": trial.duration.total_seconds() if trial.duration is not None else None,
        FAILURE: trial.user_attrs.get(FAILURE),
    }
