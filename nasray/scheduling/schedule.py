"""The schedule: one Tune run over unlike units, each started when its needs are done, longest first."""

import os
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.error import TuneError
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from nasray.cluster.cluster_check import LACKING, NodeCheck
from nasray.errors import UserError
from nasray.scheduling.attempt import Attempt, reason_of_trial
from nasray.scheduling.placement import bundle, chooser
from nasray.scheduling.unit import Unit
from nasray.search_spaces.files.atomic_file import writing_below
from nasray.settings.resources import ResourcesConfig
from nasray.storage.staged import staged
from nasray.trainables.inputs import UnitSpec
from nasray.trainables.units import parse_spec

FAILURE = "failure"
_LACKS = "node_lacks"


class DriverCallback(tune.Callback):
    """A callback that lives in the driver alone: Tune pickles it for a restore, which a new launch does without."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _UnfitNode(DriverCallback):
    """Ends the run when a unit tells that its node, which joined later, lacks something: no unit could run there.

    Attributes:
        error: What is wrong with the node; kept, since Tune raises an error of its own in its place.
    """

    error: UserError | None = None

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A unit told something.

        Raises:
            UserError: Its node lacks something.
        """
        if _LACKS in result:
            self.error = UserError(LACKING + result[_LACKS])
            raise self.error


class _NoLines(TrialProgressCallback):
    """In the place of Tune's own, which prints a line of each trial that had nothing to report."""

    def _print(self, msg: str) -> None:
        """Nothing: what there is to say is said by the callbacks that a run is given."""


class ReadyUnits(Searcher):
    """Tune's source of trials: gives a unit when all that it needs is done, waits while there is none.

    A unit that failed keeps the units that need it from ever starting. A unit is given when `choose` says so, as late
    as can be, when it is known which is the longest that is ready.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        done: set[str],
        choose: Callable[[Sequence[UnitSpec], Sequence[UnitSpec]], UnitSpec | None],
    ) -> None:
        """The units.

        Args:
            units: What to give.
            done: Names of the units that are done.
            choose: Which unit starts beside those that run, of those that are ready, the longest first; None: no one.
        """
        super().__init__()
        self._choose = choose
        self._waiting = {unit.name: unit for unit in units}
        self._running: dict[str, Unit] = {}
        self._done = set(done)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next unit's config; None while units must wait for others; FINISHED when no unit can start any more."""
        ready = [unit for unit in self._waiting.values() if self._done.issuperset(unit.needs)]
        if not ready:
            return None if self._waiting and self._running else Searcher.FINISHED
        ready.sort(key=lambda unit: unit.cost, reverse=True)
        spec = self._choose([unit.spec for unit in self._running.values()], [unit.spec for unit in ready])
        if spec is None:
            return None
        unit = next(unit for unit in ready if unit.spec is spec)
        del self._waiting[unit.name]
        self._running[trial_id] = unit
        return {"name": unit.name, "spec": spec.model_dump(mode="json")}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Note that a unit ended, well or not."""
        unit = self._running.pop(trial_id)
        if not error and result is not None and FAILURE not in result:
            self._done.add(unit.name)

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


def units_on_nodes(resources: ResourcesConfig, nodes: NodeCheck) -> Callable[..., Any]:
    """The trainable of trials that run the unit which stands in their config under "spec".

    Args:
        resources: What the run may use.
        nodes: Checks the nodes that join while it runs.
    """
    launch = secrets.token_hex(8)
    return tune.with_resources(
        partial(unit_trainable, nodes=nodes, launch=launch, max_step_seconds=resources.max_step_seconds),
        lambda config: bundle(parse_spec(config["spec"]), resources),
    )


def unit_trainable(config: dict[str, Any], nodes: NodeCheck, launch: str, max_step_seconds: float) -> None:
    """The trainable of every trial that runs a unit.

    Where runs lie in a store, what the unit reads is brought to this node first, and what it wrote to the store after
    every epoch.

    What would fail again in the same way is reported instead of raised, so that Tune does not restart the trial.
    """
    spec = parse_spec(config["spec"])
    if (lacks := nodes.lacking(spec)) is not None:
        tune.report({_LACKS: lacks})
        return
    if not ray.get_gpu_ids():
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Ray leaves a node's GPUs open to those who asked for none
    try:
        with staged(spec, nodes.expected.mirror) as leave:
            failure = Attempt(spec, launch, max_step_seconds, leave).run(tune.report)
    except UserError as error:  # of the store
        failure = str(error)
    if failure is not None:
        tune.report({FAILURE: failure})


def run_schedule(
    units: Sequence[Unit],
    done: set[str],
    resources: ResourcesConfig,
    storage: Path,
    nodes: NodeCheck,
    callbacks: Sequence[DriverCallback],
) -> dict[str, str]:
    """Run the units in one Tune run; returns the failures, reason by unit's name.

    Args:
        units: What to run.
        done: Names of the units that need not run since their results are there.
        resources: What the run may use.
        storage: Tune's folder.
        nodes: Checks the nodes that join while it runs.
        callbacks: Told of all events, in this process.

    Raises:
        UserError: A node that joined lacks something.
        DiskFullError: There is no space left for Tune's files.
    """
    searcher = ReadyUnits(units, done, chooser(resources))
    trainable = units_on_nodes(resources, nodes)
    results = run_trials(
        searcher, LatestFirst(), len(units), "schedule", resources, storage, callbacks, trainable
    )
    return failures_of(results, units)


def run_trials(
    searcher: Searcher,
    scheduler: FIFOScheduler,
    num_trials: int,
    name: str,
    resources: ResourcesConfig,
    storage: Path,
    callbacks: Sequence[DriverCallback],
    trainable: Callable[..., Any],
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
        trainable: What a trial does, with its resources.

    Raises:
        UserError: A node that joined lacks something.
        DiskFullError: There is no space left for Tune's files.
    """
    unfit = _UnfitNode()
    with writing_below(storage):
        tuner = tune.Tuner(
            trainable,
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
                callbacks=[unfit, *callbacks, _NoLines()],
                verbose=0,
            ),
        )
        try:
            return tuner.fit()
        except TuneError:
            if unfit.error is None:
                raise
            raise unfit.error from None


def _trial_name(trial: Any) -> str:
    """The name of the trial's unit, or its own, as a file name."""
    return _file_name(name_of(trial))


def name_of(trial: Any) -> str:
    """The name under which a trial's unit stands in the schedule."""
    return str(trial.config["name"])


def _file_name(name: str) -> str:
    """A unit's name as that of one folder; no two units share one."""
    return name.replace("=", "=3D").replace("/", "=2F")


def failures_of(results: tune.ResultGrid, units: Sequence[Unit]) -> dict[str, str]:
    """The reasons of the units that failed, by their names."""
    # A trial whose process died before it told anything has no config here, but a folder.
    by_folder = {_file_name(unit.name): unit.spec for unit in units}
    failures = {}
    for result in results:
        spec = by_folder[Path(result.path).name]
        if result.error is not None:
            failures[spec.name] = f"{reason_of_trial(result.error, spec.folder)}, every time it was tried"
        elif result.metrics and FAILURE in result.metrics:
            failures[spec.name] = result.metrics[FAILURE]
    return failures
