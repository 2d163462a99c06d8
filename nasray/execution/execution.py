"""Running units: those whose results are missing, in one schedule, shown and tracked."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

from nasray.cluster.cluster import ray_cluster
from nasray.cluster.cluster_check import ClusterCheck
from nasray.errors import SearchFailedError
from nasray.execution.in_process import run_in_process
from nasray.execution.live_view import LiveView
from nasray.execution.notes import TellNotes, set_damaged_aside, tell_unlike_devices
from nasray.execution.prepared_search import PreparedSearch
from nasray.execution.trial_tracking import TrackTrials
from nasray.execution.waiting import TellWaiting
from nasray.run.folder import RunFolder
from nasray.scheduling.attempt import told_failure
from nasray.scheduling.placement import check_resources, node_resources
from nasray.scheduling.schedule import DriverCallback, run_schedule
from nasray.scheduling.unit import Unit, still_to_do
from nasray.settings.experiment import ExperimentConfig
from nasray.storage.mirror import Mirror
from nasray.storage.staged import fetch_damaged, pull_results
from nasray.tracking.tracker import Tracker
from nasray.trainables.inputs import UnitSpec

_SECONDS_TO_BE_SEEN = 70.0


class Execution:
    """Runs units of an experiment, in a Ray cluster that is joined when the first ones run and left at the end.

    Attributes:
        num_units_run: How many units ran; the others' results were there already.
    """

    def __init__(
        self, config: ExperimentConfig, folder: RunFolder, tracker: Tracker, console: Console
    ) -> None:
        self.num_units_run = 0
        self._config, self._folder, self._tracker, self._console = config, folder, tracker, console
        self._view, self._cluster = LiveView(console), ExitStack()
        self._check = ClusterCheck(folder.path)
        self._nodes_before: list[dict[str, float]] = []
        self._is_on_cluster = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._cluster.__exit__(kind, error, traceback)  # which knows whether it is to blame
        finally:
            self._tracker.backlog.finish()

    def run_missing(
        self, units: Sequence[Unit], targets: Sequence[Unit], later: Sequence[UnitSpec] = ()
    ) -> None:
        """Run what is missing for the targets' results to be there.

        Args:
            units: All that may be run.
            targets: Those whose results are wanted.
            later: Units like those that a later call will run, for which a node must have room, too: better told now.

        Raises:
            SearchFailedError: Some failed; the message gives the reasons.
            UserError: A node of the cluster lacks the storage, the data or the user's modules.
        """
        self._run_missing(units, targets, later, {unit.name: self._tracker for unit in units})

    def run_parts(self, searches: Mapping[str, PreparedSearch]) -> None:
        """Run what is missing of several searches in one schedule.

        Args:
            searches: By the name of each, which distinguishes its units from the others'.

        Raises:
            SearchFailedError: Some failed; the message gives the reasons.
            UserError: A node of the cluster lacks the storage, the data or the user's modules.
        """
        units = [unit.of_part(name) for name, search in searches.items() for unit in search.units]
        targets = [unit.of_part(name) for name, search in searches.items() for unit in search.targets]
        later = [spec for search in searches.values() for spec in search.later]
        trackers = {unit.name: searches[unit.part].tracker for unit in units}
        for search in searches.values():
            if not all(unit.spec.is_done for unit in search.targets):
                search.folder.record_environment(search.config.seed)
        try:
            self._run_missing(units, targets, later, trackers)
        finally:
            for search in searches.values():
                search.folder.refresh()

    def _run_missing(
        self,
        units: Sequence[Unit],
        targets: Sequence[Unit],
        later: Sequence[UnitSpec],
        trackers: Mapping[str, Tracker],
    ) -> None:
        """See `run_missing`; `trackers` are the runs in MLflow of each unit's search, by the unit's name."""
        to_run, done = self._still_to_do(units, targets)
        for tracker in dict.fromkeys(trackers.values()):
            tracker.catch_up(
                unit.spec for unit in units if unit.name in done and trackers[unit.name] is tracker
            )
        if not to_run:
            return
        set_damaged_aside(to_run, self._console)
        self._folder.record_environment(self._config.seed)
        self._folder.publish()
        self.num_units_run += len(to_run)
        with self._view.showing(to_run):
            told = [self._view, TellNotes(self._console), TrackTrials(trackers)]
            if self._config.resources.in_process:
                mirror, max_failures = Mirror.of(self._folder.path), self._config.resources.max_failures
                self._conclude(to_run, run_in_process(to_run, done, mirror, max_failures, told))
            else:
                self._run_on_cluster(to_run, done, later, told)
        tell_unlike_devices(units, self._console)

    def _still_to_do(self, units: Sequence[Unit], targets: Sequence[Unit]) -> tuple[list[Unit], set[str]]:
        """See `still_to_do`; what is damaged on this machine alone is not made anew, but brought from the store."""
        to_run, done = still_to_do(units, targets)
        brought = [path for unit in to_run for path in fetch_damaged(unit.spec)]
        for path in brought:
            self._console.print(f"{path} was damaged: it is brought anew from the store", soft_wrap=True)
        return still_to_do(units, targets) if brought else (to_run, done)

    def _run_on_cluster(
        self,
        units: Sequence[Unit],
        done: set[str],
        later: Sequence[UnitSpec],
        callbacks: Sequence[DriverCallback],
    ) -> None:
        """Run the units in one schedule, on a cluster that has room for them and for those that come later.

        Raises:
            SearchFailedError: Some failed; the message gives the reasons.
            UserError: A node of the cluster lacks the storage, the data or the user's modules.
        """
        resources = self._config.resources
        if not self._is_on_cluster:
            self._is_on_cluster = True
            self._cluster.enter_context(ray_cluster(resources, self._console))
        with self._check.checked([unit.spec for unit in units]) as nodes:
            check_resources([*(unit.spec for unit in units), *later], resources, self._nodes_before)
            self._nodes_before += [node for node in node_resources() if node not in self._nodes_before]
            told = [*callbacks, TellWaiting(resources, self._console)]
            failures = run_schedule(units, done, resources, self._folder.tune, nodes, told)
            self._conclude(units, failures)

    def _conclude(self, units: Sequence[Unit], failures: dict[str, str]) -> None:
        """Hold the units to the results that they were to leave.

        Raises:
            SearchFailedError: Some failed; the message gives the reasons.
        """
        pull_results(*(unit.spec for unit in units if unit.name not in failures))
        self._folder.refresh()
        unfinished = [] if failures else _without_results(units)
        if unfinished:
            failures = dict.fromkeys(unfinished, "it did not run to its end")
        if failures:
            folders = {unit.name: unit.spec.folder for unit in units}
            reasons = "\n".join(
                f"  {name}: {reason}{_where_told(folders[name])}" for name, reason in failures.items()
            )
            raise SearchFailedError(
                f"{len(failures)} of {len(units)} units failed; the others' results are kept in "
                f"{self._folder.path}:\n{reasons}"
            )


def _where_told(folder: Path) -> str:
    """Where more is told of a unit's failure than its reason; empty where it is all."""
    path = told_failure(folder)
    return "" if path is None else f" (its traceback is in {path})"


def _without_results(units: Sequence[Unit]) -> list[str]:
    """The names of the units that left no results.

    A shared disk may believe for up to a minute that what it looked for before is not there (nfs(5), lookupcache).
    """
    deadline = time.monotonic() + _SECONDS_TO_BE_SEEN
    while units := [unit for unit in units if not unit.spec.is_done]:
        if time.monotonic() > deadline:
            break
        time.sleep(1)
    return [unit.name for unit in units]
