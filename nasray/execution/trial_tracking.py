"""MLflow's runs of the units of a schedule, written as Tune tells of them."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from nasray.scheduling.schedule import FAILURE, DriverCallback, name_of
from nasray.tracking.tracker import Tracker, own_metrics
from nasray.trainables.inputs import UnitSpec
from nasray.trainables.units import parse_spec


class TrackTrials(DriverCallback):
    """Tune tells it of every event; it logs the units that train, epoch by epoch.

    Args:
        trackers: By the unit's name in the schedule, the runs of the search that it belongs to.
    """

    def __init__(self, trackers: Mapping[str, Tracker]) -> None:
        self._trackers = trackers
        self._run_ids: dict[str, str] = {}
        self._last_steps: dict[str, int] = {}
        self._failures: dict[str, str] = {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A unit started, or started again."""
        spec = parse_spec(trial.config["spec"])
        if spec.tracked is not None:
            self._call(self._open, name_of(trial), spec)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A unit finished an epoch."""
        name = name_of(trial)
        if FAILURE in result:
            self._failures[name] = result[FAILURE]
        self._call(self._log, name, dict(result), time.time())

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A unit ended."""
        name = name_of(trial)
        self._call(self._close, name, self._failures.get(name))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A unit ended with an error for good."""
        self._call(self._close, name_of(trial), "its process failed too often")

    def _call(self, log: Callable[..., None], name: str, *arguments: Any) -> None:
        """Log through the backlog of the unit's search, now or later."""
        self._trackers[name].backlog.call(log, name, *arguments)

    def _open(self, name: str, spec: UnitSpec) -> None:
        if name in self._run_ids:
            return
        run_id = self._trackers[name].open_trial(spec)
        self._last_steps[name] = self._trackers[name].last_step(run_id)
        self._run_ids[name] = run_id

    def _log(self, name: str, result: Mapping[str, Any], seconds: float) -> None:
        if name not in self._run_ids:
            return
        # Figures without an epoch, such as an accuracy on test images, stand at the last one, or at step 0.
        step = result.get("epoch", self._last_steps[name])
        if step > self._last_steps[name] or "epoch" not in result:
            self._trackers[name].log_architecture(self._run_ids[name], result)
            self._trackers[name].log_metrics(self._run_ids[name], own_metrics(result), step, seconds)
            self._last_steps[name] = step

    def _close(self, name: str, failure: str | None) -> None:
        if name in self._run_ids:
            self._trackers[name].close_run(self._run_ids[name], failure=failure)
