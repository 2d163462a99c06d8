"""MLflow: one run for the search's result and a flat run per trial, joined by tags, written by the driver alone.

Runs are flat because the UI's charts leave out nested ones until they are opened. A run is found again by the tags
`run_folder` and `unit`, so that a search that goes on after its driver died goes on in the same runs; metrics that
they hold already are not logged twice.
"""

import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.tracking import MlflowClient
from pydantic import BaseModel

from nasray.config import ExperimentConfig, flatten
from nasray.export.mlflow_model import log_network
from nasray.rank import file_digest
from nasray.run_folder import RunFolder, current_commit
from nasray.schedule import FAILURE, DriverCallback
from trainables.block_distillation.trainable import BlockSpec
from trainables.retrain.trainable import RetrainFoundSpec, RetrainSpec
from trainables.sd_darts.trainable import SdDartsSpec
from trainables.teacher_unit import TeacherSpec
from trainables.trainable import read_done
from trainables.units import Spec, parse_spec

RESULT = "result"
ARCHITECTURE = "architecture"
Training = (
    TeacherSpec | BlockSpec | SdDartsSpec | RetrainFoundSpec | RetrainSpec
)  # the units that have runs of their own
_TUNES_OWN = {"time_this_iter_s", "time_total_s", "time_since_restore"}


def tracking_uri(config: ExperimentConfig) -> str:
    """Where MLflow's runs are kept: the config's URI, the environment's, or sqlite in the storage's root."""
    default = f"sqlite:///{config.storage.root.absolute() / 'mlflow.db'}"
    return config.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI") or default


class Tracker:
    """The runs of one search in MLflow."""

    def __init__(self, config: ExperimentConfig, folder: RunFolder) -> None:
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        os.environ.setdefault(
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false"
        )  # bars would stand amid our output
        uri = tracking_uri(config)
        if uri.startswith("sqlite"):
            config.storage.root.mkdir(parents=True, exist_ok=True)
        self._config, self._folder = config, folder
        self._client = MlflowClient(tracking_uri=uri)
        self._experiment_id = self._find_experiment()
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

    def open_trial(self, spec: Training) -> str:
        """The id of a trial's run."""
        tags = {"kind": spec.kind, "method": _method(spec), "space": spec.inputs.search_space.source}
        return self.open_run(spec.name, tags, _params(spec), spec.fingerprint)

    def catch_up(self, done: Iterable[Spec]) -> None:
        """Log what units reported that finished when no driver was there to log it."""
        left_open = {run.data.tags["unit"] for run in self._find("attributes.status = 'RUNNING'")}
        for spec in done:
            if spec.name not in left_open or not isinstance(spec, Training) or not spec.is_done:
                continue
            done_marker = read_done(spec.folder)
            assert done_marker is not None
            run_id = self.open_trial(spec)
            step = last = self.last_step(run_id)
            for metrics in done_marker["history"]:
                step = metrics.get("epoch", step)
                if step > last or "epoch" not in metrics:
                    self.log_metrics(run_id, own_metrics(metrics), step)
                    self.log_architecture(run_id, metrics)
            self.close_run(run_id)

    def last_step(self, run_id: str) -> int:
        """The last epoch that the run holds metrics of, 0 where it holds none."""
        history = self._client.get_metric_history(run_id, "seconds")
        return max((metric.step for metric in history), default=0)

    def log_metrics(self, run_id: str, metrics: Mapping[str, float], step: int) -> None:
        """Log the metrics of one step."""
        now = int(time.time() * 1000)
        self._client.log_batch(
            run_id, metrics=[Metric(key, float(value), now, step) for key, value in metrics.items()]
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
        self, metrics: Mapping[str, float], outcomes: Sequence[Path], network: Callable[[], Path | None]
    ) -> None:
        """Log the search's own run: its whole config, its tables, its ranking and its best network; each outcome once.

        Another ranking, under other budgets say, is another run.

        Args:
            metrics: Figures of the search as a whole.
            outcomes: The files of this outcome.
            network: Exports the best of the networks that were trained for real, if there is one that can be.
        """
        folder = self._folder
        if not outcomes:
            return
        digest = hashlib.sha256("".join(map(file_digest, outcomes)).encode()).hexdigest()
        unit = f"{RESULT}/{digest[:12]}"
        if self._find(f"tags.unit = '{unit}' and attributes.status = 'FINISHED'"):
            return
        run_id = self.open_run(
            unit,
            {"kind": RESULT, "method": "+".join(search.method for search in self._config.searches)},
            flatten(self._config.model_dump(mode="json")),
        )
        self.log_metrics(run_id, metrics, step=0)
        proof = [folder.certificate] if folder.ranking in outcomes else []
        for path in (folder.config, folder.environment, folder.report, *proof, *outcomes):
            self._client.log_artifact(run_id, str(path))
        self._client.log_artifacts(run_id, str(folder.ratings), "ratings")
        if (exported := network()) is not None:
            log_network(self._client, run_id, exported)
        self.close_run(run_id)

    def _find(self, condition: str) -> list[Run]:
        """The search's runs of which a condition in MLflow's filter language holds."""
        query = f"tags.run_folder = '{self._folder.path}' and {condition}"
        return list(self._client.search_runs([self._experiment_id], query))

    def _find_experiment(self) -> str:
        name = self._config.tracking.experiment
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return found.experiment_id
        local = self._client.tracking_uri.startswith("sqlite")
        artifacts = (self._config.storage.root.absolute() / "mlflow-artifacts").as_uri() if local else None
        return self._client.create_experiment(name, artifact_location=artifacts)


class TrackTrials(DriverCallback):
    """Tune tells it of every event; it logs the units that train, epoch by epoch."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._run_ids: dict[str, str] = {}
        self._last_steps: dict[str, int] = {}
        self._failures: dict[str, str] = {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A unit started, or started again."""
        spec = parse_spec(trial.config["spec"])
        if not isinstance(spec, Training) or spec.name in self._run_ids:
            return
        self._run_ids[spec.name] = run_id = self._tracker.open_trial(spec)
        self._last_steps[spec.name] = self._tracker.last_step(run_id)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A unit finished an epoch."""
        name = trial.config["spec"]["name"]
        if name not in self._run_ids:
            return
        if FAILURE in result:
            self._failures[name] = result[FAILURE]
        # Figures without an epoch, such as an accuracy on test images, stand at the last one, or at step 0.
        step = result.get("epoch", self._last_steps[name])
        if step > self._last_steps[name] or "epoch" not in result:
            self._tracker.log_metrics(self._run_ids[name], own_metrics(result), step)
            self._tracker.log_architecture(self._run_ids[name], result)
            self._last_steps[name] = step

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A unit ended."""
        self._close(trial, self._failures.get(trial.config["spec"]["name"]))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A unit ended with an error for good."""
        self._close(trial, "its process failed too often")

    def _close(self, trial: Any, failure: str | None) -> None:
        run_id = self._run_ids.get(trial.config["spec"]["name"])
        if run_id is not None:
            self._tracker.close_run(run_id, failure=failure)


def start_ui(config: ExperimentConfig, host: str, port: int) -> None:
    """Serve MLflow's UI on the config's runs, in place of this process.

    Raises:
        ValueError: The runs are on a server, which has a UI of its own.
    """
    uri = tracking_uri(config)
    server = urlsplit(uri)
    if server.scheme in ("http", "https"):
        raise ValueError(
            f"the runs must lie in a file or a database to be shown, but they are on a server: open "
            f"{server.scheme}://{server.netloc.rpartition('@')[2]}{server.path} in a browser"
        )
    os.environ["MLFLOW_BACKEND_STORE_URI"] = (
        uri  # as an argument all of the machine's users could read its password
    )
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", "--host", host, "--port", str(port)])


def _method(spec: Training) -> str:
    match spec:
        case BlockSpec():
            return spec.target.config.method
        case SdDartsSpec():
            return spec.config.method
        case _:
            return spec.kind


def _params(spec: Training) -> dict[str, Any]:
    """What distinguishes a unit from others, for the UI's comparison."""
    own: dict[str, Any] = {"seed": spec.inputs.seed}
    settings: BaseModel
    match spec:
        case BlockSpec():
            own |= {"block": spec.target.block, "cell": spec.target.cell}
            settings = spec.target.config
        case SdDartsSpec() | RetrainFoundSpec():
            search = spec if isinstance(spec, SdDartsSpec) else spec.search
            own |= {"space": spec.inputs.search_space.source, "arm": search.arm}
            settings = spec.config
        case RetrainSpec():
            own |= {"architecture": spec.architecture, "training_seed": spec.training_seed}
            settings = spec.config
        case TeacherSpec():
            settings = spec.inputs.teacher
    return own | flatten(settings.model_dump(mode="json"))


def own_metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """The unit's own figures in a result; Tune adds some of its own, all but these no floats."""
    return {key: value for key, value in result.items() if isinstance(value, float) and key not in _TUNES_OWN}
