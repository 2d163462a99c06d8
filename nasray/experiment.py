"""The search from its config to the ranking: its stages, what each needs, and what each leaves in the run's folder."""

import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from nasray.config import ExperimentConfig
from nasray.config_file import load_config
from nasray.evidence.evidence import Evidence, drop_evidence, evidence_metrics, gather_evidence
from nasray.execution import Execution
from nasray.export.export import export_network
from nasray.found import found_architecture
from nasray.latency import check_measured
from nasray.plan import FEATURES, RATINGS, TEACHER, plan_search, rating_tables
from nasray.rank import certificate, file_digest, is_same_order, rank_run, ranking_inputs, write_ranking
from nasray.report_page import leave_report
from nasray.resolve import resolve
from nasray.run_folder import RunFolder, read_json
from nasray.sd_darts_plan import SD_DARTS, study_runs
from nasray.study import study_table
from nasray.tracking import Tracker
from search_spaces.atomic_file import write_json, write_parquet
from trainables.inputs import UnitInputs

RANKING, EVIDENCE = "ranking", "evidence"
_DIGEST = "ranking_sha256"
STAGES = (TEACHER, FEATURES, RATINGS, SD_DARTS, RANKING, EVIDENCE)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search gives.

    Attributes:
        folder: The run's folder.
        ranking: The best architectures, best first; None if there was nothing to rank, or its stage was not asked for.
        found: What the SD-DARTS search found; None if there was none.
        study: What each run of a study gave; None if there was none.
        evidence: How far the ranking agrees with networks trained for real; None if its stage was not asked for.
        num_architectures: Size of the search space.
        num_units_run: Units that ran in this launch; the others' results were there already.
        seconds: Time of this launch.
        generations: Of a search in generations what each gave, all else being of the best one; None elsewhere.
        family: Of a family study what each method found with each seed; None elsewhere.
    """

    folder: Path
    ranking: pd.DataFrame | None
    found: pd.DataFrame | None
    study: pd.DataFrame | None
    evidence: Evidence | None
    num_architectures: int
    num_units_run: int
    seconds: float
    generations: pd.DataFrame | None = None
    family: pd.DataFrame | None = None


def search(
    config: str | Path | Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
    *,
    stages: Sequence[str] | None = None,
    console: Console | None = None,
) -> SearchResult:
    """Search, from the teacher to the ranking of all architectures, and gather the evidence for it.

    What an earlier launch left is kept where it belongs to the same inputs, so that the same call after an
    interruption goes on.

    Args:
        config: A file, a shipped config's name, or plain data; None: the digits.
        overrides: Changes to it, as "a.b=value".
        stages: Which to run, of "teacher", "features", "ratings", "sd_darts", "ranking", "evidence"; what a stage needs
            is run with it. None: all that the config's searches have.
        console: Where to show what runs; None: nowhere.

    Raises:
        ValueError: A mistake in the config, the data, or the run's folder.
        SearchFailedError: Units failed.
    """
    start = time.monotonic()
    requested = load_config(config, overrides)
    console = console or Console(quiet=True)
    if requested.dna_plus is not None:
        from nasray.generations.search import search_generations  # noqa: PLC0415  (which calls this one)

        return search_generations(requested, stages, console)
    if requested.family is not None:
        from nasray.family.search import search_family  # noqa: PLC0415  (which calls this one)

        return search_family(requested, stages, console)
    folder = RunFolder.of(requested)
    folder.refresh()
    resolved, inputs = resolve(requested, folder)
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
                execution.run_missing(units, targets)
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
        )
        leave_report(folder)
        with tempfile.TemporaryDirectory() as place:
            export = partial(_export, result, Path(place, "network"), console)
            tracker.log_result(_result_metrics(result), _outcomes(result, folder), export)
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
    of_both = (EVIDENCE,) if config.retrain is not None and config.study is None else ()
    possible = [stage for stage in STAGES if stage in of_dna + of_sd_darts + of_both]
    unknown = sorted(set(stages or ()) - set(possible))
    if unknown:
        raise ValueError(f"stages must be of {', '.join(possible)}, got {', '.join(unknown)}")
    return possible if stages is None else stages


def rank_again(config: ExperimentConfig, folder: RunFolder) -> pd.DataFrame:
    """The run's ranking; made anew unless it is there, proved, and made from the same tables, budgets and settings.

    What was gathered for another order, or compared with it, goes with it.
    """
    settings = config.ranking
    inputs = ranking_inputs(folder.path, config.budgets, settings.top, settings.num_resamples, settings.by)
    stored = _stored_ranking(folder, inputs)
    if stored is not None:
        return stored
    before = _read_certificate(folder)
    folder.certificate.unlink(missing_ok=True)
    if before is None or not is_same_order(before["inputs"], inputs):
        drop_evidence(folder)
        for path in (folder.baselines, folder.baseline_trainings):
            path.unlink(missing_ok=True)
    ranking = rank_run(
        folder.path,
        config.budgets,
        settings.top,
        settings.time_limit_seconds,
        settings.num_resamples,
        settings.by,
    )
    write_ranking(ranking, folder.ranking)
    write_json(folder.certificate, {**certificate(ranking, inputs), _DIGEST: file_digest(folder.ranking)})
    return ranking


def _read_certificate(folder: RunFolder) -> dict[str, Any] | None:
    """What is proved of the ranking that is there; None where that is not known, or the file is damaged."""
    found = read_json(folder.certificate)
    is_whole = isinstance(found, dict) and {"proved", "inputs", "num_feasible"} <= found.keys()
    return found if is_whole else None


def _stored_ranking(folder: RunFolder, inputs: Mapping[str, Any]) -> pd.DataFrame | None:
    """The ranking that is there, if it is whole, proved, and made from these inputs."""
    found = _read_certificate(folder)
    if found is None or not found["proved"] or found["inputs"] != inputs:
        return None
    try:
        if file_digest(folder.ranking) != found.get(_DIGEST):
            return None
        ranking = pd.read_parquet(folder.ranking)
    except (OSError, ValueError):  # gone or damaged; Arrow's errors are ValueErrors
        return None
    ranking.attrs["num_feasible"] = {bound: int(text) for bound, text in found["num_feasible"].items()}
    ranking.attrs["by"] = found["inputs"]["by"]
    ranking.attrs["certificate"] = {
        key: value for key, value in found.items() if key not in ("inputs", "num_feasible", _DIGEST)
    }
    return ranking


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


def _outcomes(result: SearchResult, folder: RunFolder) -> list[Path]:
    """The files of what this launch gave."""
    parts = ((result.ranking, folder.ranking), (result.found, folder.found), (result.study, folder.study))
    paths = [path for part, path in parts if part is not None]
    if result.evidence is None:
        return paths
    paths += [folder.agreement, folder.agreement_figures]
    return paths if result.evidence.calibration is None else [*paths, folder.calibration]


def _result_metrics(result: SearchResult) -> dict[str, float]:
    """Figures of the search as a whole, to compare searches by."""
    metrics = {"num_architectures": float(result.num_architectures), "seconds": result.seconds}
    if result.ranking is not None:
        best = result.ranking.iloc[0]
        metrics |= {f"best_{name}": float(best[name]) for name in ("score", "num_params", "num_macs")}
        metrics["num_feasible"] = float(result.ranking.attrs["num_feasible"]["lower"])
    if result.found is not None:
        found = result.found.iloc[0]
        metrics |= {
            f"found_{name}": float(found[name])
            for name in ("score", "num_params", "num_macs", "num_better")
            if name in found and pd.notna(found[name])
        }
    if result.evidence is not None:
        metrics |= evidence_metrics(result.evidence)
    return metrics
