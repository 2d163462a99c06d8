"""A sweep as a person sees it on the terminal: a line for each trial that ended, and the best of all at the end."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial
from rich.console import Console
from rich.table import Table

from nasray.scheduling.schedule import FAILURE, DriverCallback
from nasray.sweeps.results import SweepResult, overrides_of

_SHOWN = 10


class SweepView(DriverCallback):
    """Tune tells it of every trial that ended; prints how.

    Args:
        metrics: The objectives' names, in the order of the study's values.
        study: Says how a trial ended; it is told of that before this is.
        console: Where to print.
    """

    def __init__(self, metrics: Sequence[str], study: optuna.Study, console: Console) -> None:
        self._metrics, self._study, self._console = metrics, study, console

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial ended."""
        number = trial.config["trial"]
        ended = self._study.get_trials(deepcopy=False)[number]
        values = zip(self._metrics, ended.values or (), strict=False)
        told = ended.user_attrs.get(FAILURE) or " ".join(f"{name} {value:.4f}" for name, value in values)
        seconds = ended.duration.total_seconds() if ended.duration is not None else 0.0
        self._console.print(
            f"trial {number:<4} {ended.state.name.lower():<9} {seconds:6.1f} s  {told}  {_shown(ended)}",
            soft_wrap=True,
        )

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial ended with an error for good."""
        self.on_trial_complete(iteration, trials, trial)


def print_sweep(result: SweepResult, console: Console) -> None:
    """Print the best trials, the overrides to use, and where all lies."""
    metrics = result.config.metrics
    title = "Best trial" if len(metrics) == 1 else "Pareto front"
    table = Table(title=title, title_justify="left", box=None)
    for heading in ("trial", *metrics):
        table.add_column(heading, justify="right")
    table.add_column("overrides", overflow="fold")
    for trial in result.best[:_SHOWN]:
        table.add_row(str(trial.number), *(f"{value:.4f}" for value in trial.values), _shown(trial))
    console.print(table)
    console.print(f"Overrides: {shlex.join(overrides_of(result.best[0]))}", soft_wrap=True)
    states = result.trials["state"].value_counts()
    counts = ", ".join(f"{number} {state}" for state, number in states.items())
    console.print(
        f"{len(result.trials)} trials ({counts}); {result.num_trials_run} run in {result.seconds:.0f} s"
    )
    folder = Path(os.path.relpath(result.folder))
    console.print(f"Sweep's folder: {folder if '..' not in folder.parts else result.folder}", soft_wrap=True)


def _shown(trial: FrozenTrial) -> str:
    """The trial's settings, numbers in few digits."""
    values = (
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in trial.params.items()
    )
    return " ".join(values)
