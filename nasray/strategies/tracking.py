"""MLflow's runs of the strategies: one for each, with its trainings as steps; found again by what it searched."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from nasray.settings.experiment import ExperimentConfig
from nasray.strategies.contest import Step
from nasray.strategies.strategy import StrategySettings
from nasray.tracking.tracker import Tracker


class TrackStrategies:
    """Logs the curve of each strategy: its best accuracy on the held-out images over the epochs that it spent.

    The same search in another launch goes on in the same runs; steps that they hold are not logged twice.
    """

    def __init__(
        self,
        tracker: Tracker,
        names: Sequence[str],
        settings: StrategySettings,
        config: ExperimentConfig,
        seed: int,
    ) -> None:
        """The searches with a seed of these strategies."""
        assert config.retrain is not None
        self._tracker = tracker
        params = {
            **settings.model_dump(),
            "seed": seed,
            "training_seed": config.retrain.training_seeds[0],
            "epochs": config.retrain.train.epochs,
        }
        inputs = json.dumps([params, config.budgets, config.retrain.training.model_dump(mode="json")])
        digest = hashlib.sha256(inputs.encode()).hexdigest()[:24]
        self._run_ids: dict[str, str] = {}
        self._last_steps: dict[str, int] = {}
        self._names, self._call = tuple(names), tracker.backlog.call
        for name in names:
            self._call(self._open, name, params, digest)

    def log(self, step: Step) -> None:
        """A training of a strategy's ended."""
        self._call(self._log, step)

    def finish(self, choices: pd.DataFrame) -> None:
        """End the runs with what each strategy chose, a row per strategy; others' rows are left out."""
        for row in choices[choices["strategy"].isin(self._names)].to_dict("records"):
            self._call(self._finish, row)

    def fail(self, reason: str) -> None:
        """End the runs with the reason of a failure."""
        for name in self._names:
            self._call(self._fail, name, reason)

    def _open(self, name: str, params: Mapping[str, Any], digest: str) -> None:
        tags = {"kind": "baseline", "method": name}
        run_id = self._tracker.open_run(f"baseline/{name}", tags, {"strategy": name, **params}, digest)
        self._last_steps[name] = self._tracker.last_step(run_id)
        self._run_ids[name] = run_id

    def _log(self, step: Step) -> None:
        if step.number <= self._last_steps[step.strategy]:
            return
        metrics = {
            "held_out_accuracy": step.held_out_accuracy,
            "best_held_out_accuracy": step.best_held_out_accuracy,
            "spent_epochs": float(step.spent_epochs),
            "seconds": step.seconds,
        }
        self._tracker.log_metrics(self._run_ids[step.strategy], metrics, step.number)

    def _finish(self, row: Mapping[Any, Any]) -> None:
        run_id = self._run_ids[row["strategy"]]
        metrics = {key: float(row[key]) for key in ("test_accuracy", "cost_epochs")}
        self._tracker.log_metrics(run_id, metrics, row["num_trainings"])
        self._tracker.log_architecture(run_id, {"architecture": row["architecture"]})
        self._tracker.close_run(run_id)

    def _fail(self, name: str, reason: str) -> None:
        self._tracker.close_run(self._run_ids[name], failure=reason)
