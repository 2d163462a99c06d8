"""A comparison from its searches, which share one schedule, to the networks that judge them all."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.console import Console

from nasray.analysis.studies.comparison import SPACE, comparison_summary
from nasray.cluster.cluster import ray_cluster
from nasray.comparison.arms import ArmRun, arm_runs
from nasray.comparison.judge import Judge
from nasray.comparison.scores import Rater, trivial_raters
from nasray.comparison.table import (
    comparison_table,
    random_find,
    run_find,
    run_rater,
    trivial_find,
    with_scores,
)
from nasray.errors import SearchFailedError
from nasray.execution.execution import Execution
from nasray.execution.prepared_search import PreparedSearch
from nasray.inputs.shared import unit_inputs
from nasray.methods.method import methods_of
from nasray.pipeline.search import concluded, prepared, search_in_stages
from nasray.pipeline.search_result import SearchResult
from nasray.run.folder import RunFolder
from nasray.run.parts import leave_parts
from nasray.run.report_page import leave_report
from nasray.search_spaces.artefacts.columns import ARCHITECTURE
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.files.atomic_file import write_parquet
from nasray.settings.experiment import ExperimentConfig
from nasray.tracking.tracker import Tracker
from nasray.trainables.data.sources import sources_opened_once
from nasray.trainables.inputs import UnitInputs
from nasray.trainables.retrain.trainable import RetrainSpec


def search_comparison(config: ExperimentConfig, console: Console) -> SearchResult:
    """Have every arm search every space with every seed, and judge what they found by networks trained for real.

    What an earlier launch left is kept, search by search and unit by unit, as `search` keeps it. Where some searches
    fail, the others are judged all the same.

    Args:
        config: With a section `comparison`.
        console: Where to show what runs.

    Returns:
        The table of what each found in the comparison's folder, with no ranking of its own.

    Raises:
        UserError: A mistake in the config, the data, or one of the folders.
        SearchFailedError: Units failed.
    """
    with sources_opened_once():
        return _search(config, console)


def _search(config: ExperimentConfig, console: Console) -> SearchResult:
    start = time.monotonic()
    folder = RunFolder.of(config)
    folder.refresh()
    folder.check(config)
    runs = list(arm_runs(config))
    inputs = _inputs(config, folder)
    judges = _judges(config, folder, inputs)
    with folder.locked(), ray_cluster(config.resources, console):
        folder.claim(config, next(iter(inputs.values())), {})
        leave_parts(folder, [run.name for run in runs])
        tracker = Tracker(config, folder)
        with Execution(config, folder, tracker, console) as execution:
            results, failure = _search_all(runs, tracker, execution, console)
            if failure is not None and not results:
                raise failure
            done = [run for run in runs if run.name in results]
            try:
                table, networks = _judge(config, folder, done, inputs, judges, execution)
            except SearchFailedError as error:
                raise failure or error from None
        folder.record_environment(config.seed)
        leave_report(folder)
        outcomes = [folder.comparison, *([folder.comparison_networks] if len(networks) else [])]
        tracker.log_result(_metrics(table, networks), outcomes)
    if failure is not None:
        raise failure
    return SearchResult(
        folder=folder.path,
        ranking=None,
        found=None,
        evidence=None,
        num_architectures=sum(of_space.space.num_architectures for of_space in inputs.values()),
        num_units_run=sum(result.num_units_run for result in results.values()) + execution.num_units_run,
        seconds=time.monotonic() - start,
        comparison=table,
        leaves_out=any(result.leaves_out for result in results.values()),
    )


def _inputs(config: ExperimentConfig, folder: RunFolder) -> dict[str, UnitInputs]:
    """What units without a teacher share in each of the comparison's spaces, by the space's name."""
    shared = unit_inputs(config, folder)
    comparison = config.comparison
    assert comparison is not None
    if not comparison.spaces:
        return {config.search_space.source: shared}
    return {name: shared.without_teacher(search_space=space) for name, space in comparison.spaces.items()}


def _judges(
    config: ExperimentConfig, folder: RunFolder, inputs: Mapping[str, UnitInputs]
) -> dict[str, Judge]:
    """The judge of each space, which fits it; none where the comparison has none."""
    comparison = config.comparison
    assert comparison is not None
    if comparison.judge is None:
        return {}
    judges = {
        space: Judge(comparison.judge, config, folder, space, own.without_teacher(comparison.judge.seed))
        for space, own in inputs.items()
    }
    for judge in judges.values():
        judge.check()
    return judges


def _search_all(
    runs: Sequence[ArmRun], tracker: Tracker, execution: Execution, console: Console
) -> tuple[dict[str, SearchResult], SearchFailedError | None]:
    """The results of all searches that were done, by their names, and what failed of the others."""
    results: dict[str, SearchResult] = {}
    failure = None
    with ExitStack() as opened:
        searches: dict[str, PreparedSearch] = {}
        for run in runs:
            if not _runs_searches(run):
                console.print(run.name, soft_wrap=True)
                search = opened.enter_context(prepared(run.config, None, console, tracker.backlog))
                searches[run.name] = search
        try:
            execution.run_parts(searches)
        except SearchFailedError as error:
            failure = error
        for name, search in searches.items():
            if all(unit.spec.is_done for unit in search.targets):
                with Execution(search.config, search.folder, search.tracker, console) as own:
                    results[name] = concluded(search, own, console)
    for run in runs:
        if _runs_searches(run):
            console.print(run.name, soft_wrap=True)
            ((settings, method),) = methods_of(run.config)
            results[run.name] = method.run_searches(settings, run.config, console, search_in_stages)
    return results, failure


def _runs_searches(run: ArmRun) -> bool:
    """Whether its method runs whole searches one after the other, which have schedules of their own."""
    return any(declaration.runs_searches for _, declaration in run.config.declared)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the table with the trainings of what it found."""

    found: dict[str, Any]
    trainings: list[RetrainSpec]


def _judge(
    config: ExperimentConfig,
    folder: RunFolder,
    runs: Sequence[ArmRun],
    inputs: Mapping[str, UnitInputs],
    judges: Mapping[str, Judge],
    execution: Execution,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What each search found and what it is worth, and the networks that tell how far scores agree with accuracies.

    Both are left in the folder, of what is done also where trainings fail.
    """
    assert config.comparison is not None
    raters: dict[str, list[Rater]] = {space: [] for space in inputs}
    rows = [_row(config, run, inputs[run.space], judges.get(run.space), raters[run.space]) for run in runs]
    for space, judge in judges.items():
        rows += _baselines(config, space, judge, raters[space])
    units = []
    for space, judge in judges.items():
        specs = [spec for name in judge.sample for spec in judge.trainings(name)]
        specs += [spec for row in rows if row.found[SPACE] == space for spec in row.trainings]
        units += list(judge.units(specs))
    try:
        execution.run_missing(units, units)
    finally:
        first = next(iter(config.comparison.arms))
        table = comparison_table([row.found for row in rows], [row.trainings for row in rows], inputs, first)
        networks = _networks(config, rows, judges, raters)
        write_parquet(folder.comparison, table)
        if len(networks):
            write_parquet(folder.comparison_networks, networks)
        else:  # of an earlier launch, which drew some
            folder.comparison_networks.unlink(missing_ok=True)
    return table, networks


def _row(
    config: ExperimentConfig, run: ArmRun, inputs: UnitInputs, judge: Judge | None, raters: list[Rater]
) -> _Row:
    """What a search found; what it says of all architectures is put to the raters."""
    folder = RunFolder.of(run.config)
    rater = run_rater(run, folder, inputs)
    if rater is not None:
        raters.append(rater)
    found = run_find(run, folder, rater, config.budgets)
    return _Row(found, [] if judge is None else judge.trainings(found[ARCHITECTURE], run))


def _baselines(config: ExperimentConfig, space: str, judge: Judge, raters: list[Rater]) -> list[_Row]:
    """What trivial measures and a uniform draw find, where networks are drawn to hold scores to."""
    if not judge.settings.sample:
        return []
    assert isinstance(judge.inputs.space, SearchSpace)
    comparison = config.comparison
    assert comparison is not None
    trivial = trivial_raters(judge.inputs.space)
    found = [trivial_find(rater, space, config.budgets) for rater in trivial]
    found += [random_find(space, seed, name) for seed, name in judge.drawn(comparison.seeds).items()]
    raters += trivial
    return [_Row(one, judge.trainings(one[ARCHITECTURE])) for one in found]


def _networks(
    config: ExperimentConfig,
    rows: Sequence[_Row],
    judges: Mapping[str, Judge],
    raters: Mapping[str, list[Rater]],
) -> pd.DataFrame:
    """The networks of all spaces in which some were drawn, with everybody's scores."""
    comparison = config.comparison
    assert comparison is not None
    frames = []
    for space, judge in judges.items():
        if judge.settings.sample:
            found = [row.found[ARCHITECTURE] for row in rows if row.found[SPACE] == space]
            networks = judge.networks(found)
            networks.insert(0, SPACE, space)
            frames.append(with_scores(networks, raters[space], comparison.seeds))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _metrics(table: pd.DataFrame, networks: pd.DataFrame) -> dict[str, float]:
    """Figures of each arm, to compare comparisons by."""
    summary = comparison_summary(table, networks)
    several = len(set(summary[SPACE])) > 1
    names = ("kendall_tau", "accuracy", "gain", "cpu_seconds")
    return {
        f"{row[SPACE] + '.' if several else ''}{row['arm']}_{name}": float(row[name])
        for row in summary.to_dict("records")
        for name in names
        if name in row and pd.notna(row[name])
    }
