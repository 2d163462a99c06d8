"""The ranking of a run's architectures from its tables of ratings, without Ray or torch."""

import hashlib
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from nasray.analysis.counting.coverage import NUM_FEASIBLE, NUM_LEFT_OUT, Coverage, cover
from nasray.analysis.exact.ranking import top_architectures
from nasray.analysis.runs.complete_tables import complete_tables
from nasray.analysis.tables.criterion import tables_by, weighted_tables
from nasray.analysis.tables.measured_costs import check_budgets_known
from nasray.analysis.trust.calibration import FEWEST_NETWORKS, block_weights, read_calibration
from nasray.analysis.trust.uncertainty import score_errors, tie_groups, top_probabilities
from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import ARCHITECTURE
from nasray.search_spaces.artefacts.costs import measured_costs
from nasray.search_spaces.artefacts.criteria import BY_CALIBRATED, BY_SCORE, CRITERIA, measured_criteria
from nasray.search_spaces.artefacts.run_files import RunFiles
from nasray.search_spaces.files.atomic_file import replacing, write_json
from nasray.search_spaces.files.plain_yaml import parse_yaml

SHARE_BETTER = "share_better"
SCORE_SE, GROUP, TOP_PROBABILITY = "score_se", "group", "top_probability"
NUM_LIKELY = 10  # the best, of which `top_probability` tells


def rank_run(
    run: Path,
    budgets: Mapping[str, float],
    top: int,
    time_limit_seconds: float | None = None,
    num_resamples: int = 100,
    by: str = BY_SCORE,
) -> pd.DataFrame:
    """The best architectures of a run under budgets, best first; proved, unless the time ran out.

    `share_better` is the share of all architectures within the budgets that are strictly better. Where these cannot be
    counted exactly, it is a certain upper bound; where the ranking is not proved, it is not known. The attribute
    `num_feasible` of the frame holds their number, or its certain bounds.

    All that is said is of architectures whose candidates are rated. How many others are within the budgets is held by
    the attribute `num_left_out`, and for the sake of which candidates by `unrated`, see `Coverage`.

    How far the held-out images tell the architectures apart is said by `score_se`, the score's standard error; by
    `group`, the same number for neighbours that cannot be told from the first among them; and by `top_probability`,
    the share of `num_resamples` rankings of all architectures, each with the held-out batches weighed otherwise, in
    which this one is among the NUM_LIKELY best (missing without resamples, where the ranking is not proved, or where no
    time is left). See `nasray.analysis.trust.uncertainty`.

    All of this is of the score that is ranked by, see `nasray.search_spaces.artefacts.criteria`: the sum of the ratings
    ("score"), of the ratings inside the teacher ("swap_in"), or of the ratings with the weights that trained networks
    give ("calibrated"). The attribute `by` holds which.

    Raises:
        UserError: There is no such criterion; the run has no ratings, or none of that kind, or weights of no use; the
            budgets cannot be met.
    """
    started = time.monotonic()
    if by not in CRITERIA:
        raise UserError(f"by must be one of {', '.join(CRITERIA)}, got {by!r}")
    check_budgets_known(run, budgets)
    tables = ranked_tables(run, by)
    ranking = top_architectures(tables, dict(budgets), top, time_limit_seconds=time_limit_seconds)
    if not len(ranking):
        raise UserError("the time limit must be long enough to find one architecture: raise it")
    coverage = cover(tables, dict(budgets))
    num_better = ranking["score"].rank(method="min") - 1
    proved = ranking.attrs["certificate"]["proved"]
    ranking[SHARE_BETTER] = num_better / max(1, coverage.ranked.lower) if proved else math.nan
    ranking[SCORE_SE] = score_errors(ranking, tables)
    ranking[GROUP] = tie_groups(ranking, tables)
    ranking[TOP_PROBABILITY] = math.nan
    left = None if time_limit_seconds is None else started + time_limit_seconds - time.monotonic()
    if proved and num_resamples and (left is None or left > 0):
        ranking[TOP_PROBABILITY] = top_probabilities(
            tables,
            dict(budgets),
            list(ranking[ARCHITECTURE]),
            NUM_LIKELY,
            num_resamples=num_resamples,
            time_limit_seconds=left,
        )
    ranking.attrs |= coverage.data()
    ranking.attrs["by"] = by
    return ranking


def ranked_tables(run: Path, by: str) -> list[pd.DataFrame]:
    """The ratings of a run, one table per block, with the values that are ranked by as `rating`.

    Raises:
        UserError: The run has no ratings of that kind, or weights of no use.
    """
    tables = complete_tables(run)
    if by == BY_CALIBRATED:
        return weighted_tables(tables, block_weights(_calibration(run)))
    return tables_by(by, tables)


def _calibration(run: Path) -> dict[str, Any]:
    """The figures of the run's calibration."""
    figures = read_calibration(run)
    if figures is None:
        raise UserError(
            f"a ranking by {BY_CALIBRATED} needs weights that are fitted to at least {FEWEST_NETWORKS} trained "
            f"networks of the ranking and the sample, {run} has no {RunFiles(run).calibration.name}: raise "
            "retrain.sample and search again, or rank by score"
        )
    return figures


def write_ranking(ranking: pd.DataFrame, path: Path) -> None:
    """Write a ranking as parquet or CSV, by the path's ending, whole or not at all.

    Raises:
        UserError: The path ends otherwise.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise UserError(f"a ranking is written to a .parquet or a .csv file, got {path}")
    # The attributes belong to the certificate's file; parquet would keep them too, but not integers of any size.
    table = ranking.copy(deep=False)
    table.attrs = {}
    with replacing(path) as temporary:
        if path.suffix == ".csv":
            table.to_csv(temporary, index=False)
        else:
            table.to_parquet(temporary, index=False)


def write_with_proof(ranking: pd.DataFrame, inputs: Mapping[str, Any], path: Path) -> None:
    """Write a ranking, and beside it, as `<path>.json`, what is proved of it and what it was made from.

    Raises:
        UserError: The path ends otherwise than a ranking's.
    """
    write_ranking(ranking, path)
    write_json(path.with_name(f"{path.name}.json"), certificate(ranking, inputs))


def certificate(ranking: pd.DataFrame, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What is proved of a ranking, and what it was made from, as plain data."""
    proof, covered = ranking.attrs["certificate"], Coverage.read(ranking.attrs).data()
    for name in (NUM_FEASIBLE, NUM_LEFT_OUT):
        # As text, since few readers of JSON keep integers of this size.
        covered[name] = {bound: str(value) for bound, value in covered[name].items()}
    return {
        **proof,
        "gap": proof["gap"] if math.isfinite(proof["gap"]) else None,  # JSON has no infinity
        **covered,
        "inputs": dict(inputs),
    }


def ranking_inputs(
    run: Path,
    budgets: Mapping[str, float],
    top: int,
    num_resamples: int,
    by: str = BY_SCORE,
) -> dict[str, Any]:
    """What a ranking is made from: budgets, length, resamples, criterion, and each table of ratings or costs."""
    return {
        "budgets": dict(budgets),
        "top": top,
        "num_resamples": num_resamples,
        "by": by,
        "tables": _digests(run, RunFiles(run).ratings),
        **{one.many: _digests(run, RunFiles(run).measured(one)) for one in measured_costs().values()},
    }


def is_same_order(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether what two rankings are made from gives the same architectures the same places."""
    names = ["budgets", "by", "tables"]
    names += [one.many for cost, one in measured_costs().items() if cost.name in second["budgets"]]
    return all(first.get(name) == second[name] for name in names)


def _digests(run: Path, folder: Path) -> dict[str, str]:
    return {str(path.relative_to(run)): file_digest(path) for path in sorted(folder.rglob("*.parquet"))}


def file_digest(path: Path) -> str:
    """Digest of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_budgets(run: Path) -> dict[str, float]:
    """The budgets that the run's config gives.

    Raises:
        UserError: The folder is not a run's.
    """
    budgets = _read_config(run).get("budgets", {})
    numbers = isinstance(budgets, dict) and all(
        isinstance(limit, int | float) and not isinstance(limit, bool) for limit in budgets.values()
    )
    if not numbers:
        raise UserError(f"{run}/config.yaml must have a number per budget, got {budgets!r}")
    return dict(budgets)


def read_criterion(run: Path) -> str:
    """What the run's config ranks by.

    Raises:
        UserError: The folder is not a run's.
    """
    ranking = _read_config(run).get("ranking", {})
    criterion = ranking.get("by", BY_SCORE) if isinstance(ranking, dict) else None
    known = [one.name for one in measured_criteria()]
    if criterion not in known:
        raise UserError(
            f"{run}/config.yaml must have a group ranking with by: {' or '.join(known)}, got {ranking!r}"
        )
    return str(criterion)


def _read_config(run: Path) -> dict[str, Any]:
    try:
        config = parse_yaml(RunFiles(run).config.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"RUN must be the folder of a run, with a config.yaml; {run} has none") from None
    except ValueError as error:
        raise UserError(f"{run}/config.yaml must be plain YAML: {error}") from None
    if not isinstance(config, dict):
        raise UserError(f"{run}/config.yaml must hold keys and values, got {type(config).__name__}")
    return config
