"""The stages of a search, from the teacher to the evidence: what each needs, and what it leaves."""

import tempfile
import time
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from mlflow.tracking import MlflowClient
from rich.console import Console

from nasray.analysis.counting.coverage import Coverage
from nasray.errors import UserError
from nasray.evidence.evidence import gather_evidence
from nasray.evidence.found import found_architecture
from nasray.evidence.plan import any_trainings
from nasray.execution.execution import Execution
from nasray.exporting.export import export_network
from nasray.exporting.mlflow_model import log_network
from nasray.pipeline.search_result import SearchResult, outcomes, result_metrics, result_tags
from nasray.pipeline.study import study_table
from nasray.planning.plan import FEATURES, RATINGS, TEACHER, plan_search, rating_tables
from nasray.planning.resolve import check_measured, resolve
from nasray.planning.sd_darts_plan import SD_DARTS, study_runs
from nasray.run.folder import RunFolder
from nasray.run.report_page import leave_report
from nasray.run.stored_ranking import rank_again
from nasray.search_spaces.files.atomic_file import write_parquet
from nasray.settings.experiment import ExperimentConfig
from nasray.tracking.tracker import Tracker
from nasray.trainables.inputs import SearchInputs, UnitInputs
from nasray.trainables.teacher.unit import check_finished_teacher

RANKING, EVIDENCE = "ranking", "evidence"
STAGES = (TEACHER, FEATURES, RATINGS, SD_DARTS, RANKING, EVIDENCE)


def search_in_stages(
    config: ExperimentConfig, stages: Sequence[str] | None, console: Console
) -> SearchResult:
    """Search a space by DNA, SD-DARTS or both, or run a study of the latter.

    Args:
        config: As it was loaded.
        stages: Which of `STAGES` to run; what a stage needs is run with it. None: all that the config's searches have.
        console: Where to show what runs.

    Raises:
        UserError: A mistake in the config, the data, or the run's folder.
        SearchFailedError: Units failed.
    """
    start = time.monotonic()
    folder = RunFolder.of(config)
    folder.refresh()
    resolved, inputs = resolve(config, folder, console)
    chosen = _check_stages(stages, resolved)
    folder.check(resolved)
    if {RANKING, EVIDENCE} & set(chosen):
        check_measured(resolved, folder)
    with folder.locked():
        plan = plan_search(resolved, folder, inputs)
        for module in folder.claim(resolved, inputs, rating_tables(plan)):
            console.print(f"{module} has changed: what depends on it is made anew", soft_wrap=True)
        if isinstance(inputs, SearchInputs):
            check_finished_teacher(inputs)
        units = [unit for stage in plan.values() for unit in stage]
        needs = {RANKING: {RATINGS}, EVIDENCE: {TEACHER, RATINGS, SD_DARTS}}
        wanted = set().union(*(needs.get(stage, {stage}) for stage in chosen))
        targets = [unit for stage, its_units in plan.items() if stage in wanted for unit in its_units]
        tracker = Tracker(resolved, folder)
        with Execution(resolved, folder, tracker, console) as execution:
            try:
                later = any_trainings(resolved, folder, inputs) if EVIDENCE in chosen else []
                execution.run_missing(units, targets, later)
            finally:  # if some runs failed, those that ended well are tabulated all the same
                study = _tabulate(resolved, folder, inputs, chosen)
            ranked = resolved.dna is not None and {RANKING, EVIDENCE} & set(chosen)
            ranking = rank_again(resolved, folder) if ranked else None
            found = _find(resolved, folder, wanted, rating_tables(plan))
            evidence = None
            if EVIDENCE in chosen:
                architecture = None if found is None else found["architecture"].iloc[0]
                evidence = gather_evidence(resolved, folder, inputs, ranking, architecture, execution)
            elif resolved.retrain is None:
                folder.drop_evidence()
        result = SearchResult(
            folder=folder.path,
            ranking=ranking,
            found=found,
            study=study,
            evidence=evidence,
            num_architectures=inputs.space.num_architectures,
            num_units_run=execution.num_units_run,
            seconds=time.monotonic() - start,
            leaves_out=ranking is not None and not Coverage.read(ranking.attrs).is_whole,
        )
        leave_report(folder)
        has_networks = result.evidence is not None and len(result.evidence.networks) > 0
        tracker.log_result(
            result_metrics(result),
            outcomes(result, folder),
            partial(_log_best, folder.path, console) if has_networks else None,
            result_tags(result),
        )
    return result


def _log_best(run: Path, console: Console, client: MlflowClient, run_id: str) -> None:
    """Keep the best of the networks that were trained for real as a model of a run in MLflow."""
    with tempfile.TemporaryDirectory() as place:
        try:
            exported = export_network(run, output=Path(place, "network"))
        except ValueError as error:  # an operation of the user's own may be none that a file can hold
            console.print(f"No network is kept as a model in MLflow: {error}", soft_wrap=True)
            return
        log_network(client, run_id, exported)


def _check_stages(stages: Sequence[str] | None, config: ExperimentConfig) -> Sequence[str]:
    """The stages to run.

    Raises:
        UserError: One of them is not there in an experiment of this config.
    """
    of_dna = (TEACHER, FEATURES, RATINGS, RANKING) if config.dna is not None else ()
    of_sd_darts = (SD_DARTS,) if config.sd_darts is not None else ()
    # A study trains what it finds by settings of its own.
    has_evidence = config.retrain is not None and (config.dna is not None or config.study is None)
    of_both = (EVIDENCE,) if has_evidence else ()
    possible = [stage for stage in STAGES if stage in of_dna + of_sd_darts + of_both]
    unknown = sorted(set(stages or ()) - set(possible))
    if unknown:
        raise UserError(f"stages must be of {', '.join(possible)}, got {', '.join(unknown)}")
    return possible if stages is None else stages


def _find(
    config: ExperimentConfig, folder: RunFolder, stages: Collection[str], tables: Collection[Path]
) -> pd.DataFrame | None:
    """What the one SD-DARTS search found, with its place if all candidates are rated; also as a file."""
    if config.sd_darts is None or SD_DARTS not in stages or config.study is not None:
        return None
    rated = len(tables) > 0 and all(path.exists() for path in tables)
    found = found_architecture(config, folder, ranked=rated)
    write_parquet(folder.found, found)
    return found


def _tabulate(
    config: ExperimentConfig, folder: RunFolder, inputs: UnitInputs, stages: Sequence[str]
) -> pd.DataFrame | None:
    """What each run of the study gave; also as a file."""
    if SD_DARTS not in stages or config.study is None:
        return None
    table = study_table(list(study_runs(config, folder, inputs)))
    write_parquet(folder.study, table)
    return table
