"""One search in its stages, from the teacher to the evidence: what each needs, and what each leaves in the folder."""

import tempfile
import time
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from rich.console import Console

from analysis.coverage import Coverage
from nasray.config import ExperimentConfig
from nasray.evidence.evidence import drop_evidence, gather_evidence
from nasray.evidence.plan import any_trainings
from nasray.execution import Execution
from nasray.export.export import export_network
from nasray.found import found_architecture
from nasray.latency import check_measured
from nasray.plan import FEATURES, RATINGS, TEACHER, plan_search, rating_tables
from nasray.report_page import leave_report
from nasray.resolve import resolve
from nasray.run_folder import RunFolder
from nasray.sd_darts_plan import SD_DARTS, study_runs
from nasray.search_result import SearchResult, outcomes, result_metrics, result_tags
from nasray.stored_ranking import rank_again
from nasray.study import study_table
from nasray.tracking import Tracker
from search_spaces.atomic_file import write_parquet
from trainables.inputs import UnitInputs

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
        ValueError: A mistake in the config, the data, or the run's folder.
        SearchFailedError: Units failed.
    """
    start = time.monotonic()
    folder = RunFolder.of(config)
    folder.refresh()
    resolved, inputs = resolve(config, folder)
    chosen = _check_stages(stages, resolved)
    _ = inputs.images  # missing files are an error here, not on every node
    folder.check(resolved)
    if {RANKING, EVIDENCE} & set(chosen):
        check_measured(resolved, folder)
    with folder.locked():
        plan = plan_search(resolved, folder, inputs)
        folder.claim(resolved, rating_tables(plan))
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
                drop_evidence(folder)
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
        with tempfile.TemporaryDirectory() as place:
            export = partial(_export, result, Path(place, "network"), console)
            tracker.log_result(result_metrics(result), outcomes(result, folder), export, result_tags(result))
    return result


def _export(result: SearchResult, output: Path, console: Console) -> Path | None:
    """The best of the networks that were trained for real, as a folder of its own; None where there is none."""
    if result.evidence is None or not len(result.evidence.networks):
        return None
    try:
        return export_network(result.folder, output=output)
    except ValueError as error:  # an operation of the user's own may be none that a file can hold
        console.print(f"No network is kept as a model in MLflow: {error}", soft_wrap=True)
        return None


def _check_stages(stages: Sequence[str] | None, config: ExperimentConfig) -> Sequence[str]:
    """The stages to run.

    Raises:
        ValueError: One of them is not there in an experiment of this config.
    """
    of_dna = (TEACHER, FEATURES, RATINGS, RANKING) if config.dna is not None else ()
    of_sd_darts = (SD_DARTS,) if config.sd_darts is not None else ()
    # A study trains what it finds by settings of its own.
    has_evidence = config.retrain is not None and (config.dna is not None or config.study is None)
    of_both = (EVIDENCE,) if has_evidence else ()
    possible = [stage for stage in STAGES if stage in of_dna + of_sd_darts + of_both]
    unknown = sorted(set(stages or ()) - set(possible))
    if unknown:
        raise ValueError(f"stages must be of {', '.join(possible)}, got {', '.join(unknown)}")
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
