"""One Ray Tune run over unlike units of work: each starts when the units that it needs are done, longest first."""

import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from nasray.config import ResourcesConfig
from trainables.units import Spec, parse_spec, run_unit

FAILURE = "failure"
_ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Tune's own would end the run as if it were finished
    "RAY_worker_niceness": "0",  # units are the work itself, and not to be starved by what else runs
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000",  # ReadyUnits gives no more units than there is room for
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

    A unit that failed keeps the units that need it from ever starting. No more units are given at once than `num_slots`
    tells, so that each is given as late as can be, when it is known which is the longest that is ready.
    """

    def __init__(self, units: Sequence[Unit], done: set[str], num_slots: Callable[[], int]) -> None:
        super().__init__()
        self._num_slots = num_slots
        self._waiting = {unit.name: unit for unit in units}
        self._running: dict[str, str] = {}
        self._done = set(done)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next unit's config; None while units must wait for others; FINISHED when no unit can start any more."""
        ready = [unit for unit in self._waiting.values() if self._done.issuperset(unit.needs)]
        if not ready:
            return None if self._waiting and self._running else Searcher.FINISHED
        if len(self._running) >= self._num_slots():
            return None
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


class LatestFirst(FIFOScheduler):
    """Gives a free actor to the unit that came last, and so leaves alone the earlier ones whose actors are starting.

    First in, first out, Tune would give it to a unit that waits for an actor of its own and throw that actor away half
    started. Where units are shorter than the start of an actor, only one would ever run.
    """

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """The last pending trial."""
        trials = reversed(tune_controller.get_trials())
        return next((trial for trial in trials if trial.status == trial.PENDING), None)


def unit_trainable(config: dict[str, Any]) -> None:
    """The trainable of every trial.

    A mistake of the user's, or a training that diverges, would fail again in the same way: it is reported instead of
    raised, so that Tune does not restart the trial.
    """
    spec = parse_spec(config["spec"])
    try:
        for metrics in run_unit(spec):
            tune.report(metrics)
    except (ValueError, FloatingPointError) as error:
        (spec.folder / "failure.txt").write_text(traceback.format_exc(), encoding="utf-8")
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
    searcher = ReadyUnits(units, done, lambda: num_slots(units[0].spec, resources))
    return _failures(
        run_trials(searcher, LatestFirst(), len(units), "schedule", resources, storage, callbacks)
    )


def run_trials(
    searcher: Searcher,
    scheduler: FIFOScheduler,
    num_trials: int,
    name: str,
    resources: ResourcesConfig,
    storage: Path,
    callbacks: Sequence[DriverCallback],
) -> tune.ResultGrid:
    """Run trials of units in one Tune run.

    Args:
        searcher: Gives each trial's config, which holds its unit under "spec".
        scheduler: Tells which trial runs next, and which ends early.
        num_trials: How many at the most.
        name: Name of the folder below `storage`.
        resources: What the run may use.
        storage: Tune's folder.
        callbacks: Told of all events, in this process.
    """
    tuner = tune.Tuner(
        tune.with_resources(unit_trainable, lambda config: bundle(parse_spec(config["spec"]), resources)),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=num_trials,
            reuse_actors=True,
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(storage.absolute()),
            failure_config=tune.FailureConfig(max_failures=resources.max_failures),
            callbacks=list(callbacks),
            verbose=0,
        ),
    )
    return tuner.fit()


@contextmanager
def ray_cluster(resources: ResourcesConfig) -> Iterator[None]:
    """Join the cluster or start a local one, quietly, and leave it at the end; one that is joined already stays.

    Raises:
        ValueError: There is no cluster at the address.
    """
    os.environ.update({name: value for name, value in _ENVIRONMENT.items() if name not in os.environ})
    if ray.is_initialized():
        yield
        return
    local = {"include_dashboard": False} if resources.address in (None, "local") else {}
    on_termination = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=resources.address, log_to_driver=False, logging_level="error", **local)
    except ConnectionError as error:
        raise ValueError(
            f"resources.address must be a running Ray cluster's, got {resources.address}: {error}"
        ) from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_termination)  # Ray's own would print its C++ stack
    try:
        yield
    finally:
        ray.shutdown()


def num_slots(spec: Spec, resources: ResourcesConfig) -> int:
    """How many units may run at once: as many as fit into the cluster's nodes now, or as the config says."""
    if resources.max_concurrent is not None:
        return resources.max_concurrent
    wanted = bundle(spec, resources).bundles[0]
    fitting = (min(node.get(kind, 0) // amount for kind, amount in wanted.items()) for node in _nodes())
    return max(1, int(sum(fitting)))


def check_resources(units: Sequence[Unit], resources: ResourcesConfig) -> None:
    """Refuse units that no node could ever run, instead of waiting for ever.

    Raises:
        ValueError: A unit asks for more CPUs or GPUs than the largest node has.
    """
    nodes = _nodes()
    for unit in units:
        wanted = bundle(unit.spec, resources).bundles[0]
        if not any(all(node.get(kind, 0) >= amount for kind, amount in wanted.items()) for node in nodes):
            largest = {kind: max(node.get(kind, 0) for node in nodes) for kind in ("CPU", "GPU")}
            raise ValueError(
                f"a node must have what a unit takes: {unit.name} takes {_text(wanted)}, the largest node has "
                f"{_text(largest)}: lower compute.num_threads or resources.gpus_per_unit, or wait for larger nodes"
            )


def _nodes() -> list[dict[str, float]]:
    """The resources of each node that is alive."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def bundle(spec: Spec, resources: ResourcesConfig) -> tune.PlacementGroupFactory:
    """What a unit takes of a node."""
    bundle = {"CPU": float(spec.inputs.compute.num_threads)}
    if resources.gpus_per_unit:
        bundle["GPU"] = resources.gpus_per_unit
    return tune.PlacementGroupFactory([bundle])


def _trial_name(trial: Any) -> str:
    """The name of the trial's unit, or its own, as a file name."""
    return str(trial.config.get("name", trial.config["spec"]["name"])).replace("/", "-")


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
