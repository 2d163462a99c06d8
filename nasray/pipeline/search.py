"""One search: prepared, run, and concluded by its ranking, what it found, and the evidence for it."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pandas as pd
from mlflow.tracking import MlflowClient
from rich.console import Console

from nasray.analysis.counting.coverage import Coverage
from nasray.evidence.evidence import gather_evidence
from nasray.evidence.found import found_architectures
from nasray.evidence.plan import any_trainings
from nasray.execution.execution import Execution
from nasray.execution.prepared_search import PreparedSearch
from nasray.exporting.export import export_network
from nasray.exporting.mlflow_model import log_network
from nasray.pipeline.search_result import SearchResult, outcomes, result_metrics, result_tags
from nasray.pipeline.stages import EVIDENCE, RANKING, chosen_stages, needed_stages
from nasray.planning.plan import plan_search, rating_tables
from nasray.planning.resolve import check_measured, resolve
from nasray.run.folder import RunFolder
from nasray.run.report_page import leave_report
from nasray.run.stored_ranking import rank_again
from nasray.search_spaces.files.atomic_file import write_parquet
from nasray.settings.experiment import ExperimentConfig
from nasray.tracking.backlog import Backlog
from nasray.tracking.tracker import Tracker
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.teacher.unit import check_finished_teacher


def search_in_stages(
    config: ExperimentConfig, stages: Sequence[str] | None, console: Console
) -> SearchResult:
    """Run the searches of a config in one schedule.

    Args:
        config: As it was loaded.
        stages: Which stages to run; what a stage needs is run with it. None: all that the config's searches have.
        console: Where to show what runs.

    Raises:
        UserError: A mistake in the config, the data, or the run's folder.
        SearchFailedError: Units failed.
    """
    with (
        prepared(config, stages, console) as search,
        Execution(search.config, search.folder, search.tracker, console) as execution,
    ):
        execution.run_missing(search.units, search.targets, search.later)
        return concluded(search, execution, console)


@contextmanager
def prepared(
    config: ExperimentConfig,
    stages: Sequence[str] | None,
    console: Console,
    backlog: Backlog | None = None,
) -> Iterator[PreparedSearch]:
    """A search whose folder is held against other launches, with all mistakes told that can be told now.

    Args:
        config: As it was loaded.
        stages: See `search_in_stages`.
        console: Where to say what was tried.
        backlog: Of the searches that this one is a part of; None: it has its own.

    Raises:
        UserError: A mistake in the config, the data, or the run's folder.
    """
    start = time.monotonic()
    folder = RunFolder.of(config)
    folder.refresh()
    resolved, inputs = resolve(config, folder, console)
    chosen = chosen_stages(stages, resolved)
    folder.check(resolved)
    if {RANKING, EVIDENCE} & set(chosen):
        check_measured(resolved, folder)
    with folder.locked():
        plan = plan_search(resolved, folder, inputs)
        tables = rating_tables(resolved, folder, inputs)
        for module in folder.claim(resolved, inputs, tables):
            console.print(f"{module} has changed: what depends on it is made anew", soft_wrap=True)
        if isinstance(inputs, SearchInputs):
            check_finished_teacher(inputs)
        wanted = needed_stages(chosen, resolved)
        yield PreparedSearch(
            config=resolved,
            folder=folder,
            inputs=inputs,
            stages=chosen,
            units=[unit for stage in plan.values() for unit in stage],
            targets=[unit for stage, units in plan.items() if stage in wanted for unit in units],
            later=any_trainings(resolved, folder, inputs) if EVIDENCE in chosen else [],
            tables=list(tables),
            tracker=Tracker(resolved, folder, backlog),
            started=start,
        )


def concluded(search: PreparedSearch, execution: Execution, console: Console) -> SearchResult:
    """The result of a search whose targets are there: its ranking, what it found, its evidence; left and logged.

    Args:
        search: The search.
        execution: What runs the trainings of its evidence.
        console: Where to show these.

    Raises:
        SearchFailedError: Trainings failed.
    """
    config, folder = search.config, search.folder
    ranked = config.ranks and bool({RANKING, EVIDENCE} & set(search.stages))
    ranking = rank_again(config, folder) if ranked else None
    found = _found(search)
    evidence = None
    if EVIDENCE in search.stages:
        names = [] if found is None else list(found["architecture"])
        evidence = gather_evidence(config, folder, search.inputs, ranking, names, execution)
    elif config.retrain is None:
        folder.drop_evidence()
    result = SearchResult(
        folder=folder.path,
        ranking=ranking,
        found=found,
        evidence=evidence,
        num_architectures=search.inputs.space.num_architectures,
        num_units_run=execution.num_units_run,
        seconds=time.monotonic() - search.started,
        leaves_out=ranking is not None and not Coverage.read(ranking.attrs).is_whole,
    )
    leave_report(folder)
    has_networks = result.evidence is not None and len(result.evidence.networks) > 0
    search.tracker.log_result(
        result_metrics(result),
        outcomes(result, folder),
        partial(_log_best, folder.path, console) if has_networks else None,
        result_tags(result),
    )
    return result


def _found(search: PreparedSearch) -> pd.DataFrame | None:
    """What searches found that name one architecture, with its place if all candidates are rated; also as a file."""
    finding = [one for _, one in search.config.declared if one.finds]
    wanted = needed_stages(search.stages, search.config)
    if not finding or not all(stage in wanted for one in finding for stage in one.stages):
        return None
    rated = len(search.tables) > 0 and all(path.exists() for path in search.tables)
    found = found_architectures(search.config, search.folder, ranked=rated)
    write_parquet(search.folder.found, found)
    return found


def _log_best(run: Path, console: Console, client: MlflowClient, run_id: str) -> None:
    """Keep the best of the networks that were trained for real as a model of a run in MLflow."""
    with tempfile.TemporaryDirectory() as place:
        try:
            exported = export_network(run, output=Path(place, "network"))
        except ValueError as error:  # an operation of the user's own may be none that a file can hold
            console.print(f"No network is kept as a model in MLflow: {error}", soft_wrap=True)
            return
        log_network(client, run_id, exported)
