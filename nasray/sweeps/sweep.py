"""A sweep from its config to the best settings: what the swept unit needs, then Optuna's trials, then their table."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler
from rich.console import Console

from nasray.cluster.cluster import ray_cluster
from nasray.cluster.cluster_check import ClusterCheck, NodeCheck
from nasray.errors import SearchFailedError, UserError
from nasray.execution.execution import Execution
from nasray.execution.waiting import TellWaiting
from nasray.planning.plan import rating_tables
from nasray.planning.resolve import resolve
from nasray.run.folder import RunFolder
from nasray.scheduling.placement import check_resources, num_slots
from nasray.scheduling.schedule import (
    DriverCallback,
    LatestFirst,
    run_trials,
    units_on_nodes,
)
from nasray.settings.loading import load_config
from nasray.settings.sweeps import SweepConfig
from nasray.sweeps.results import SweepResult, best_trials, trials_table, write_results
from nasray.sweeps.study import fail_interrupted, num_ended, open_study
from nasray.sweeps.tracking import TrackSweep, close_interrupted
from nasray.sweeps.trials import SweepTrials
from nasray.sweeps.unit import SweepFolder, SweptUnit
from nasray.sweeps.view import SweepView
from nasray.tracking.tracker import Tracker

_MAX_EPOCHS = 10**6  # where ASHA's rungs end, beyond any trial


def sweep(
    config: str | Path | Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
    *,
    console: Console | None = None,
) -> SweepResult:
    """Search for the settings of one unit, as the config's section `sweep` says.

    What the unit needs is run first, from the config as it is. The same call goes on where an earlier one ended or was
    interrupted; a larger `sweep.num_trials` adds trials.

    Args:
        config: A file, a shipped config's name, or plain data; None: the digits.
        overrides: Changes to it, as "a.b=value".
        console: Where to show what runs; None: nowhere.

    Raises:
        UserError: A mistake in the config, or the run's folder belongs to another sweep.
        SearchFailedError: A unit that the swept one needs failed, or all trials did.
    """
    start = time.monotonic()
    console = console or Console(quiet=True)
    requested = load_config(config, overrides)
    if requested.sweep is None:
        raise UserError("sweep must be given in the config (unit, objectives, domains), got none")
    if requested.resources.in_process:
        raise UserError("resources.in_process must be false for a sweep, whose trials are Ray's")
    folder = RunFolder.of(requested)
    folder.refresh()
    resolved, inputs = resolve(requested, folder, console)
    folder.check(resolved)
    unit = SweptUnit(requested.sweep.unit, resolved, folder, inputs)
    variants = unit.planned(requested.sweep)
    with folder.locked():
        study = open_study(requested.sweep, SweepFolder.of(folder))
        tracker = Tracker(resolved, folder)
        close_interrupted(tracker, fail_interrupted(study))
        num_left = max(0, requested.sweep.num_trials - num_ended(study))
        if num_left:
            with ray_cluster(resolved.resources, console):
                check_resources([variant.spec for variant in variants], resolved.resources)
                _run_needed(unit, tracker, console)
                view = SweepView(requested.sweep.metrics, study, console)
                with ClusterCheck(folder.path).checked([variant.spec for variant in variants]) as nodes:
                    told = [TrackSweep(tracker, study), view, TellWaiting(resolved.resources, console)]
                    _run_trials(requested.sweep, unit, num_left, nodes, told)
        trials, best = trials_table(requested.sweep, study.get_trials()), best_trials(study)
        write_results(trials, requested.sweep, best, SweepFolder.of(folder))
    if not best:
        reasons = "\n".join(f"  trial {row.trial}: {row.failure}" for row in trials.itertuples())
        raise SearchFailedError(f"none of {len(trials)} trials is complete:\n{reasons}")
    return SweepResult(
        SweepFolder.of(folder).path, requested.sweep, trials, best, num_left, time.monotonic() - start
    )


def _run_needed(unit: SweptUnit, tracker: Tracker, console: Console) -> None:
    """Run what the swept unit needs, as a search would, from the config as it is.

    Raises:
        SearchFailedError: Some of it failed.
    """
    config, folder = unit.config, unit.folder
    folder.claim(config, unit.inputs, rating_tables(config, folder, unit.inputs))
    folder.record_environment(config.seed)
    needed = unit.needed()
    with Execution(config, folder, tracker, console) as execution:
        execution.run_missing(needed, needed)


def _run_trials(
    sweep: SweepConfig,
    unit: SweptUnit,
    num_trials: int,
    nodes: NodeCheck,
    callbacks: Sequence[DriverCallback],
) -> None:
    """Run so many trials in one Tune run."""
    resources = unit.config.resources
    os.environ["TUNE_DISABLE_STRICT_METRIC_CHECKING"] = "1"  # a trial that fails reports its reason alone
    trials = SweepTrials(sweep, unit, num_trials, lambda spec: num_slots(spec, resources))
    storage = SweepFolder.of(unit.folder).tune
    run_trials(
        trials,
        _scheduler(sweep),
        num_trials,
        "trials",
        resources,
        storage,
        callbacks,
        units_on_nodes(resources, nodes),
    )


class LatestFirstAsha(LatestFirst, AsyncHyperBandScheduler):
    """ASHA that gives a free actor to the trial that came last."""


def _scheduler(sweep: SweepConfig) -> LatestFirst:
    """The scheduler of a sweep's trials.

    Source: ASHA (Li et al., MLSys 2020, arXiv 1810.05934) as Ray Tune has it, with epochs for time; it never ends a
    trial for its length.
    """
    if sweep.scheduler == "none":
        return LatestFirst()
    return LatestFirstAsha(
        time_attr="epoch",
        metric=sweep.metrics[0],
        mode=sweep.modes[0],
        max_t=_MAX_EPOCHS,
        grace_period=sweep.grace_epochs,
        reduction_factor=sweep.reduction_factor,
        stop_last_trials=False,
    )
