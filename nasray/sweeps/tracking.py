"""MLflow's runs of a sweep: one for each trial, found again by the tags `run_folder` and `unit`."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from nasray.scheduling.schedule import FAILURE, DriverCallback
from nasray.tracking.tracker import Tracker, own_metrics

RUN_NAME = "run"


class TrackSweep(DriverCallback):
    """Tune tells it of every event; it logs the trials, epoch by epoch.

    Args:
        tracker: Writes the runs.
        study: Says how a trial ended; it is told of that before this is.
    """

    def __init__(self, tracker: Tracker, study: optuna.Study) -> None:
        self._tracker, self._call, self._study = tracker, tracker.backlog.call, study
        self._run_ids: dict[str, str] = {}
        self._last_steps: dict[str, int] = {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial started, or started again."""
        self._call(self._open, trial.trial_id, trial.config)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A trial finished an epoch."""
        self._call(self._log, trial.trial_id, dict(result), time.time())

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial ended."""
        ended = self._study.get_trials(deepcopy=False)[trial.config["trial"]]
        self._call(self._close, trial.trial_id, ended.user_attrs.get(FAILURE))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial ended with an error for good."""
        self.on_trial_complete(iteration, trials, trial)

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        """All trials ended."""
        self._tracker.backlog.finish()

    def _open(self, trial_id: str, config: Mapping[str, Any]) -> None:
        if trial_id in self._run_ids:
            return
        unit = config["swept_unit"]
        self._run_ids[trial_id] = self._tracker.open_run(
            config["name"],
            {"kind": "sweep", "swept_unit": unit},
            {"swept_unit": unit, "seed": config["spec"]["inputs"]["seed"], **config["params"]},
        )
        self._last_steps[trial_id] = -1

    def _log(self, trial_id: str, result: Mapping[str, Any], seconds: float) -> None:
        step = result.get("epoch", 0)
        if step > self._last_steps[trial_id]:
            self._tracker.log_metrics(self._run_ids[trial_id], own_metrics(result), step, seconds)
            self._last_steps[trial_id] = step

    def _close(self, trial_id: str, failure: str | None) -> None:
        self._tracker.close_run(self._run_ids[trial_id], failure=failure)


def close_interrupted(tracker: Tracker, trials: Sequence[FrozenTrial]) -> None:
    """End the runs of trials whose driver died."""
    for trial in trials:
        if RUN_NAME in trial.user_attrs:
            tracker.backlog.call(_close_interrupted, tracker, trial.user_attrs[RUN_NAME])


def _close_interrupted(tracker: Tracker, name: str) -> None:
    run_id = tracker.open_run(name, {"kind": "sweep"}, {})
    tracker.close_run(run_id, failure="the sweep was interrupted")
