"""One Ray Tune run over unlike units of work: each starts when the units that it needs are done, longest first."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.search import Searcher

from nasray.config import ResourcesConfig
from trainables.units import Spec, parse_spec, run_unit

FAILURE = "failure"
_QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}


@dataclass(frozen=True)
class Unit:
    """One trial of the schedule.

    Attributes:
        spec: What to do.
        needs: Names of the units whose results it reads.
        cost: Estimated work, in any unit; among units that are ready the largest starts first.
    """

    spec: Spec
    needs: tuple[str, ...] = ()
    cost: float = 0.0

    @property
    def name(self) -> str:
        """The unit's name."""
        return self.spec.name


class DriverCallback(tune.Callback):
    """A callback that lives in the driver alone: Tune pickles it for a restore, which a new launch does without."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class ReadyUnits(Searcher):
    """Tune's source of trials: gives a unit when all that it needs is done, waits while there is none.

    A unit that failed keeps the units that need it from ever starting.
    """

    def __init__(self, units: Sequence[Unit], done: set[str]) -> None:
        super().__init__()
        self._waiting = {unit.name: unit for unit in units}
        self._running: dict[str, str] = {}
        self._done = set(done)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next unit's config; None while units must wait for others; FINISHED when no unit can start any more."""
        ready = [unit for unit in self._waiting.values() if self._done.issuperset(unit.needs)]
        if not ready:
            return None if self._waiting and self._running else Searcher.FINISHED
        unit = max(ready, key=lambda unit: unit.cost)
        del self._waiting[unit.name]
        self._running[trial_id] = unit.name
        return {"spec": unit.spec.model_dump(mode="json")}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Note that a unit ended, well or not."""
        name = self._running.pop(trial_id)
        if not error and result is not None and FAILURE not in result:
            self._done.add(name)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: what is done stands in the run's folder, and a new launch plans anew."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, see `save`."""


def unit_trainable(config: dict[str, Any]) -> None:
    """The trainable of every trial.

    A mistake of the user's, or a training that diverges, would fail again in the same way: it is reported instead of
    raised, so that Tune does not restart the trial.
    """
    try:
        for metrics in run_unit(parse_spec(config["spec"])):
            tune.report(metrics)
    except (ValueError, FloatingPointError) as error:
        tune.report({FAILURE: str(error)})


def run_schedule(
    units: Sequence[Unit],
    done: set[str],
    resources: ResourcesConfig,
    storage: Path,
    callbacks: Sequence[DriverCallback],
) -> dict[str, str]:
    """Run the units in one Tune run; returns the failures, reason by unit's name.

    Args:
        units: What to run.
        done: Names of the units that need not run since their results are there.
        resources: What the run may use.
        storage: Tune's folder.
        callbacks: Told of all events, in this process.
    """
    tuner = tune.Tuner(
        tune.with_resources(unit_trainable, lambda config: _bundle(parse_spec(config["spec"]), resources)),
        tune_config=tune.TuneConfig(
            search_alg=ReadyUnits(units, done),
            num_samples=len(units),
            max_concurrent_trials=resources.max_concurrent,
            reuse_actors=True,
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
        run_config=tune.RunConfig(
            name="schedule",
            storage_path=str(storage.absolute()),
            failure_config=tune.FailureConfig(max_failures=resources.max_failures),
            callbacks=list(callbacks),
            verbose=0,
        ),
    )
    return _failures(tuner.fit())


@contextmanager
def ray_cluster(resources: ResourcesConfig) -> Iterator[None]:
    """Join the cluster or start a local one, quietly, and leave it at the end; one that is joined already stays.

    Raises:
        ValueError: There is no cluster at the address.
    """
    os.environ.update({name: value for name, value in _QUIET.items() if name not in os.environ})
    if ray.is_initialized():
        yield
        return
    local = {"include_dashboard": False} if resources.address in (None, "local") else {}
    try:
        ray.init(address=resources.address, log_to_driver=False, logging_level="error", **local)
    except ConnectionError as error:
        raise ValueError(
            f"resources.address must be a running Ray cluster's, got {resources.address}: {error}"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def check_resources(units: Sequence[Unit], resources: ResourcesConfig) -> None:
    """Refuse units that no node could ever run, instead of waiting for ever.

    Raises:
        ValueError: A unit asks for more CPUs or GPUs than the largest node has.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    for unit in units:
        wanted = _bundle(unit.spec, resources).bundles[0]
        if not any(all(node.get(kind, 0) >= amount for kind, amount in wanted.items()) for node in nodes):
            largest = {kind: max(node.get(kind, 0) for node in nodes) for kind in ("CPU", "GPU")}
            raise ValueError(
                f"a node must have what a unit takes: {unit.name} takes {_text(wanted)}, the largest node has "
                f"{_text(largest)}: lower compute.num_threads or resources.gpus_per_unit"
            )


def _bundle(spec: Spec, resources: ResourcesConfig) -> tune.PlacementGroupFactory:
    bundle = {"CPU": float(spec.inputs.compute.num_threads)}
    if resources.gpus_per_unit:
        bundle["GPU"] = resources.gpus_per_unit
    return tune.PlacementGroupFactory([bundle])


def _trial_name(trial: Any) -> str:
    """The unit's name as a file name."""
    return str(trial.config["spec"]["name"]).replace("/", "-")


def _failures(results: tune.ResultGrid) -> dict[str, str]:
    failures = {}
    for result in results:
        name = result.config["spec"]["name"]
        if result.error is not None:
            failures[name] = str(result.error).strip().splitlines()[-1]
        elif result.metrics and FAILURE in result.metrics:
            failures[name] = result.metrics[FAILURE]
    return failures


def _text(amounts: dict[str, float]) -> str:
    return ", ".join(f"{amount:g} {kind}" for kind, amount in amounts.items())
