"""MLflow: one run for the search's result and a flat run per trial, joined by tags, written by the driver alone.

Runs are flat because the UI's charts leave out nested ones until they are opened. A run is found again by the tags
`run_folder` and `unit`, so that a search that goes on after its driver died goes on in the same runs; metrics that
they hold already are not logged twice. While MLflow does not take it, all that is to be logged waits in a backlog; what
is left of it when the search ends is logged by the next launch, from what the units left in their folders.
"""

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.tracking import MlflowClient

from nasray.analysis.runs.rank import file_digest
from nasray.run.environment import current_commit
from nasray.run.folder import RunFolder
from nasray.search_spaces.artefacts.columns import ARCHITECTURE
from nasray.settings.experiment import ExperimentConfig, flatten
from nasray.storage.sqlite_url import sqlite_path
from nasray.tracking.backlog import Backlog
from nasray.tracking.mlflow_place import check_place, create_database, tracking_uri
from nasray.trainables.core.trainable import read_done
from nasray.trainables.inputs import UnitSpec

RESULT = "result"
_ENVIRONMENT = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # bars would stand amid our output
    # The backlog tries again. With MLflow's own settings a call to a server that is away takes minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
_TUNES_OWN = {"time_this_iter_s", "time_total_s", "time_since_restore"}


class Tracker:
    """The runs of one search in MLflow.

    Attributes:
        backlog: Through which all is to be logged that others want, so that they never wait for MLflow.

    Raises:
        UserError: MLflow's address or credentials are wrong.
    """

    def __init__(self, config: ExperimentConfig, folder: RunFolder, backlog: Backlog | None = None) -> None:
        for name in (
            "mlflow",
            "alembic",
            "sqlalchemy",
        ):  # with a traceback for what the backlog says in a line
            logging.getLogger(name).setLevel(logging.CRITICAL)
        os.environ.update({name: value for name, value in _ENVIRONMENT.items() if name not in os.environ})
        self._config, self._folder, self._uri = config, folder, tracking_uri(config)
        check_place(self._uri)
        self.backlog = backlog or Backlog(self._uri)
        self._commit = current_commit() or "unknown"

    def open_run(
        self, unit: str, tags: Mapping[str, str], params: Mapping[str, Any], inputs: str | None = None
    ) -> str:
        """The id of a unit's run: the one it had in an earlier launch, or a new one.

        Args:
            unit: The unit's name.
            tags: Tags beside those of every run.
            params: What distinguishes it from others, for the UI's comparison.
            inputs: Digest of what the unit depends on; a run of other inputs is not gone on with.
        """
        found = self._find(f"tags.unit = '{unit}'" + (f" and tags.inputs = '{inputs}'" if inputs else ""))
        all_tags = {
            **({"inputs": inputs} if inputs else {}),
            "run_folder": str(self._folder.path),
            "unit": unit,
            "study": self._config.name,
            "data": self._config.data.source,
            "space": self._config.search_space.source,
            "commit": self._commit,
            **tags,
            **self._config.tracking.tags,
        }
        if found:
            run_id = found[0].info.run_id
            self._client.update_run(run_id, status="RUNNING")
            if "failure" in found[0].data.tags:
                self._client.delete_tag(run_id, "failure")
            known = found[0].data.params
        else:
            known = {}
            name = f"{self._config.name}/{unit}"
            run_id = self._client.create_run(self._experiment_id, run_name=name, tags=all_tags).info.run_id
        # An earlier driver may have died before it logged them.
        missing = {key: str(value)[:6000] for key, value in params.items() if key not in known}
        self._client.log_batch(run_id, params=[Param(key, value) for key, value in missing.items()])
        return run_id

    def open_trial(self, spec: UnitSpec) -> str:
        """The id of a trial's run."""
        tags = {"kind": spec.kind, "method": spec.method, "space": spec.inputs.search_space.source}
        return self.open_run(
            spec.name, tags, {"seed": spec.inputs.seed, **flatten(spec.tracked or {})}, spec.fingerprint
        )

    def catch_up(self, done: Iterable[UnitSpec]) -> None:
        """Log what units reported that finished when there was no driver, or no MLflow, to log it."""
        trained = [spec for spec in done if spec.tracked is not None and spec.is_done]
        self.backlog.call(self._log_missing, trained)

    def _log_missing(self, done: Sequence[UnitSpec]) -> None:
        """Log what finished units reported, where the runs do not hold it all."""
        ended = self._find("attributes.status = 'FINISHED'")
        logged = {(run.data.tags["unit"], run.data.tags.get("inputs")) for run in ended}
        for spec in done:
            if (spec.name, spec.fingerprint) in logged:
                continue
            done_marker = read_done(spec.folder)
            assert done_marker is not None
            run_id = self.open_trial(spec)
            step = last = self.last_step(run_id)
            for metrics in done_marker["history"]:
                step = metrics.get("epoch", step)
                if step > last or "epoch" not in metrics:
                    self.log_architecture(run_id, metrics)
                    self.log_metrics(run_id, own_metrics(metrics), step)
            self.close_run(run_id)

    def last_step(self, run_id: str) -> int:
        """The last epoch that the run holds metrics of, 0 where it holds none."""
        history = self._client.get_metric_history(run_id, "seconds")
        return max((metric.step for metric in history), default=0)

    def log_metrics(
        self, run_id: str, metrics: Mapping[str, float], step: int, seconds: float | None = None
    ) -> None:
        """Log the metrics of one step, measured at a time since the epoch; None: now."""
        milliseconds = int((time.time() if seconds is None else seconds) * 1000)
        self._client.log_batch(
            run_id, metrics=[Metric(key, float(value), milliseconds, step) for key, value in metrics.items()]
        )

    def log_architecture(self, run_id: str, metrics: Mapping[str, Any]) -> None:
        """Tag a run with the architecture that its unit stands for, if it tells one."""
        if ARCHITECTURE in metrics:
            self._client.set_tag(run_id, ARCHITECTURE, str(metrics[ARCHITECTURE])[:5000])

    def close_run(self, run_id: str, *, failure: str | None = None) -> None:
        """End a run, well or with the reason of its failure."""
        if failure is not None:
            self._client.log_batch(run_id, tags=[RunTag("failure", failure[:5000])])
        self._client.set_terminated(run_id, "FINISHED" if failure is None else "FAILED")

    def log_result(
        self,
        metrics: Mapping[str, float],
        outcomes: Sequence[Path],
        log_network: Callable[[MlflowClient, str], None] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log the search's own run: its whole config, its tables, its ranking and its best network; each outcome once.

        Another ranking, under other budgets say, is another run. Here the launch ends, and with it the waiting.

        Args:
            metrics: Figures of the search as a whole.
            outcomes: The files of this outcome.
            log_network: Logs the best of the networks that were trained for real as a model of a run, given by its id.
            tags: What else must be known of it.
        """
        if outcomes:
            self.backlog.call(self._log_result, metrics, outcomes, log_network, tags or {})
        self.backlog.finish()

    def _log_result(
        self,
        metrics: Mapping[str, float],
        outcomes: Sequence[Path],
        log_network: Callable[[MlflowClient, str], None] | None,
        tags: Mapping[str, str],
    ) -> None:
        folder = self._folder
        digest = hashlib.sha256("".join(map(file_digest, outcomes)).encode()).hexdigest()
        unit = f"{RESULT}/{digest[:12]}"
        if self._find(f"tags.unit = '{unit}' and attributes.status = 'FINISHED'"):
            return
        methods = "+".join(search.method for search in self._config.searches)
        run_id = self.open_run(
            unit,
            {"kind": RESULT, "method": methods, **{key: text[:5000] for key, text in tags.items()}},
            flatten(self._config.model_dump(mode="json")),
        )
        self.log_metrics(run_id, metrics, step=0)
        proof = [folder.certificate] if folder.ranking in outcomes else []
        for path in (folder.config, folder.environment, folder.report, *proof, *outcomes):
            self._client.log_artifact(run_id, str(path))
        self._client.log_artifacts(run_id, str(folder.ratings), "ratings")
        if log_network is not None:
            log_network(self._client, run_id)
        self.close_run(run_id)

    def _find(self, condition: str) -> list[Run]:
        """The search's runs of which a condition in MLflow's filter language holds."""
        path = str(self._folder.path)
        quote = '"' if "'" in path else "'"  # the language has no way to write a quote within quotes
        query = f"tags.run_folder = {quote}{path}{quote} and {condition}"
        found: list[Run] = []
        token = None
        while True:
            page = self._client.search_runs([self._experiment_id], query, page_token=token)
            found += page
            token = page.token
            if not token:
                return found

    @cached_property
    def _client(self) -> MlflowClient:
        """MLflow, asked for when something is logged: when a search starts it may be away, or its disk full."""
        create_database(self._uri)
        return MlflowClient(tracking_uri=self._uri)

    @cached_property
    def _experiment_id(self) -> str:
        name = self._config.tracking.experiment
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return found.experiment_id
        database = sqlite_path(self._uri)
        # Beside the database: its runs may be of several storages.
        artifacts = None if database is None else database.absolute().with_name("mlflow-artifacts").as_uri()
        return self._client.create_experiment(name, artifact_location=artifacts)


def own_metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """The unit's own figures in a result; Tune adds some of its own, all but these no floats."""
    return {key: value for key, value in result.items() if isinstance(value, float) and key not in _TUNES_OWN}
