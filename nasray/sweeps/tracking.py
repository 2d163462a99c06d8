"""MLflow's runs of a sweep: one for each trial, found again by the tags `run_folder` and `unit`."""

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from nasray.schedule import FAILURE, DriverCallback
from nasray.tracking import Tracker, own_metrics

RUN_NAME = "run"


class TrackSweep(DriverCallback):
    """Tune tells it of every event; it logs the trials, epoch by epoch.

    Args:
        tracker: Writes the runs.
        study: Says how a trial ended; it is told of that before this is.
    """

    def __init__(self, tracker: Tracker, study: optuna.Study) -> None:
        self._tracker, self._study = tracker, study
        self._run_ids: dict[str, str] = {}
        self._last_steps: dict[str, int] = {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial started, or started again."""
        if trial.trial_id in self._run_ids:
            return
        config = trial.config
        unit = config["swept_unit"]
        self._run_ids[trial.trial_id] = self._tracker.open_run(
            config["name"],
            {"kind": "sweep", "swept_unit": unit},
            {"swept_unit": unit, "seed": config["spec"]["inputs"]["seed"], **config["params"]},
        )
        self._last_steps[trial.trial_id] = -1

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A trial finished an epoch."""
        step = result.get("epoch", 0)
        if step > self._last_steps[trial.trial_id]:
            self._tracker.log_metrics(self._run_ids[trial.trial_id], own_metrics(result), step)
            self._last_steps[trial.trial_id] = step

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial ended."""
        ended = self._study.get_trials(deepcopy=False)[trial.config["trial"]]
        self._tracker.close_run(self._run_ids[trial.trial_id], failure=ended.user_attrs.get(FAILURE))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial ended with an error for good."""
        self.on_trial_complete(iteration, trials, trial)


def close_interrupted(tracker: Tracker, trials: Sequence[FrozenTrial]) -> None:
    """End the runs of trials whose driver died."""
    for trial in trials:
        if RUN_NAME in trial.user_attrs:
            run_id = tracker.open_run(trial.user_attrs[RUN_NAME], {"kind": "sweep"}, {})
            tracker.close_run(run_id, failure="the sweep was interrupted")
