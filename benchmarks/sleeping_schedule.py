"""nasray's own schedule over real units that sleep instead of computing, on GPUs that are only declared."""

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from imagenet_work import ImageNetSearch
from ray import tune
from rich.console import Console
from sleeper import MET, sleep

from nasray.cluster.cluster import ray_cluster
from nasray.cluster.local_ray import local_ray
from nasray.execution.live_view import LiveView
from nasray.execution.trial_tracking import TrackTrials
from nasray.scheduling.placement import bundle, chooser
from nasray.scheduling.schedule import DriverCallback, LatestFirst, ReadyUnits, run_trials
from nasray.scheduling.unit import Unit
from nasray.settings.experiment import ResourcesConfig
from nasray.tracking.tracker import Tracker


class Clock(DriverCallback):
    """How long a schedule takes from when its first processes are there, and what the driver takes meanwhile.

    Attributes:
        num_reports: Reports of epochs.
        num_processes: Processes that were started.
        seconds: From when the first processes met to the end of the last unit.
        cpu_seconds: The driver's processor time meanwhile.
        memory_bytes: How much its resident memory grew.
    """

    def __init__(self, num_first: int) -> None:
        self._num_first = num_first
        self._start = (0.0, 0.0, 0.0)
        self.num_reports = self.num_processes = 0
        self.seconds = self.cpu_seconds = self.memory_bytes = 0.0

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A process is there, or a unit finished an epoch."""
        if MET not in result:
            self.num_reports += 1
            return
        self.num_processes += 1
        if self.num_processes <= self._num_first:
            self._start = _now()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A unit ended."""
        self.seconds, self.cpu_seconds, self.memory_bytes = (
            end - start for end, start in zip(_now(), self._start, strict=True)
        )


def _now() -> tuple[float, float, float]:
    return time.monotonic(), time.process_time(), psutil.Process().memory_info().rss


def run_sleeping(
    units: Sequence[Unit],
    seconds: Mapping[str, float],
    reports: Mapping[str, int],
    search: ImageNetSearch,
    num_gpus: int,
    *,
    told: bool,
) -> Clock:
    """What the schedule of the units took.

    Args:
        units: What to run; what they need and is not among them counts as done.
        seconds: How long each sleeps, by name.
        reports: How many epochs that time is cut into, each with a report.
        search: Whose units they are; its folder is made anew.
        num_gpus: How many GPUs are declared; a unit has one.
        told: Whether the live view and MLflow are told, as in a search.
    """
    done = {name for unit in units for name in unit.needs} - {unit.name for unit in units}
    num_first = min(num_gpus, sum(done.issuperset(unit.needs) for unit in units))
    meeting = search.root / "meeting"
    for folder in (search.root, meeting):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    resources, clock = ResourcesConfig(gpus_per_unit=1), Clock(num_first)
    sleeper = partial(sleep, seconds=seconds, reports=reports, meeting=meeting, num_processes=num_first)
    with ExitStack() as stack:
        stack.enter_context(local_ray(num_cpus=num_gpus, num_gpus=num_gpus))
        stack.enter_context(ray_cluster(resources))
        callbacks: list[DriverCallback] = [clock]
        if told:
            nowhere = Console(file=stack.enter_context(Path(os.devnull).open("w")), force_terminal=True)
            callbacks.append(stack.enter_context(LiveView(nowhere).showing(units)))
            callbacks.append(TrackTrials(Tracker(search.config, search.folder)))
        run_trials(
            ReadyUnits(units, done, chooser(resources)),
            LatestFirst(),
            len(units),
            "schedule",
            resources,
            search.folder.tune,
            callbacks,
            tune.with_resources(sleeper, bundle(units[0].spec, resources)),
        )
    return clock
