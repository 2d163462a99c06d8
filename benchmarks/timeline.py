"""Start and end of each unit of a schedule, as nasray itself runs it."""

import os
import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from planned_units import forget
from rich.console import Console

from nasray.cluster.cluster import ray_cluster
from nasray.cluster.cluster_check import ClusterCheck
from nasray.execution.live_view import LiveView
from nasray.execution.trial_tracking import TrackTrials
from nasray.run.folder import RunFolder
from nasray.scheduling.schedule import DriverCallback, run_schedule
from nasray.scheduling.unit import Unit
from nasray.settings.experiment import ExperimentConfig
from nasray.tracking.tracker import Tracker


class Timeline(DriverCallback):
    """Notes when units ran, by this process's clock.

    Attributes:
        intervals: Start and end of each unit by name, in seconds; a start is told with the unit's first report.
    """

    def __init__(self) -> None:
        self.intervals: dict[str, list[float]] = {}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A unit reported for the first time, or again."""
        self.intervals.setdefault(_name(trial), [time.monotonic() - result["time_total_s"]])

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A unit ended."""
        self.intervals[_name(trial)].append(time.monotonic())

    @property
    def seconds(self) -> float:
        """From the first start to the last end."""
        return max(end for _, end in self.intervals.values()) - self._start

    def busy(self, num_slots: int) -> float:
        """The share of `num_slots` at work until the last unit started, when none waits any more."""
        last = max(start for start, _ in self.intervals.values())
        at_work = sum(min(end, last) - start for start, end in self.intervals.values())
        return at_work / num_slots / (last - self._start)

    @property
    def _start(self) -> float:
        return min(start for start, _ in self.intervals.values())


def _name(trial: Any) -> str:
    return str(trial.config["spec"]["name"])


def run_units(config: ExperimentConfig, units: Sequence[Unit], num_slots: int) -> Timeline:
    """Run units anew, so many at a time, with a search's own callbacks, and note when each ran.

    Args:
        config: Resolved.
        units: What they need and is not among them must be there.
        num_slots: How many run at a time.
    """
    forget(units)
    done = {name for unit in units for name in unit.needs} - {unit.name for unit in units}
    folder, timeline = RunFolder.of(config), Timeline()
    resources = config.resources.model_copy(update={"max_concurrent": num_slots, "address": "local"})
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder.tune, ignore_errors=True)
        nowhere = Console(file=stack.enter_context(Path(os.devnull).open("w")), force_terminal=True)
        stack.enter_context(ray_cluster(resources))
        view = stack.enter_context(LiveView(nowhere).showing(units))
        tracks = TrackTrials(Tracker(config, folder))
        nodes = stack.enter_context(ClusterCheck(folder.path).checked([unit.spec for unit in units]))
        failures = run_schedule(units, done, resources, folder.tune, nodes, [view, tracks, timeline])
    if failures:
        raise RuntimeError(f"units failed: {failures}")
    return timeline
