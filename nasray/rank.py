"""From tables of ratings to the ranking of all architectures, without Ray or torch."""

import hashlib
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from analysis.counting import count_feasible
from analysis.ranking import ARCHITECTURE, top_architectures
from analysis.ratings import load_ratings
from analysis.uncertainty import score_errors, tie_groups, top_probabilities
from search_spaces.atomic_file import replacing

SHARE_BETTER = "share_better"
SCORE_SE, GROUP, TOP_PROBABILITY = "score_se", "group", "top_probability"
NUM_LIKELY = 10  # the best, of which `top_probability` tells


def rank_run(
    run: Path,
    budgets: Mapping[str, float],
    top: int,
    time_limit_seconds: float | None = None,
    num_resamples: int = 100,
) -> pd.DataFrame:
    """The best architectures of a run under budgets, best first; proved, unless the time ran out.

    `share_better` is the share of all architectures within the budgets that are strictly better. Where these cannot be
    counted exactly, it is a certain upper bound; where the ranking is not proved, it is not known. The attribute
    `num_feasible` of the frame holds their number, or its certain bounds.

    How far the held-out images tell the architectures apart is said by `score_se`, the score's standard error; by
    `group`, the same number for neighbours that cannot be told from the first among them; and by `top_probability`,
    the share of `num_resamples` rankings of all architectures, each with the held-out batches weighed otherwise, in
    which this one is among the NUM_LIKELY best (missing without resamples, where the ranking is not proved, or where no
    time is left). See `analysis.uncertainty`.

    Raises:
        ValueError: The run has no ratings, or the budgets cannot be met.
    """
    started = time.monotonic()
    _check_complete(run)
    tables = load_ratings(run)
    ranking = top_architectures(tables, dict(budgets), top, time_limit_seconds=time_limit_seconds)
    if not len(ranking):
        raise ValueError("the time limit must be long enough to find one architecture: raise it")
    feasible = count_feasible(tables, dict(budgets))
    num_better = ranking["score"].rank(method="min") - 1
    proved = ranking.attrs["certificate"]["proved"]
    ranking[SHARE_BETTER] = num_better / max(1, feasible.lower) if proved else math.nan
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
    ranking.attrs["num_feasible"] = {"lower": feasible.lower, "upper": feasible.upper}
    return ranking


def _check_complete(run: Path) -> None:
    """Refuse a run whose search is not finished: what it lacks might be the best."""
    try:
        tables = json.loads((run / "ratings" / "tables.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(
            f"RUN must be the folder of a run, with ratings/tables.json; {run} has none"
        ) from None
    if not tables:
        raise ValueError(
            f"{run} must hold a search of the method dna, which rates all candidates; it has none"
        )
    missing = [name for name in tables if not (run / name).is_file()]
    if missing:
        raise ValueError(
            f"{run} must have all its tables of ratings, but {len(missing)} of {len(tables)} are missing, the first "
            f"{missing[0]}: finish the search with the command that started it"
        )


def write_ranking(ranking: pd.DataFrame, path: Path) -> None:
    """Write a ranking as parquet or CSV, by the path's ending, whole or not at all.

    Raises:
        ValueError: The path ends otherwise.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise ValueError(f"a ranking is written to a .parquet or a .csv file, got {path}")
    # The attributes belong to the certificate's file; parquet would keep them too, but not integers of any size.
    table = ranking.copy(deep=False)
    table.attrs = {}
    with replacing(path) as temporary:
        if path.suffix == ".csv":
            table.to_csv(temporary, index=False)
        else:
            table.to_parquet(temporary, index=False)


def certificate(ranking: pd.DataFrame, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What is proved of a ranking, and what it was made from, as plain data."""
    feasible, proof = ranking.attrs["num_feasible"], ranking.attrs["certificate"]
    return {
        **proof,
        "gap": proof["gap"] if math.isfinite(proof["gap"]) else None,  # JSON has no infinity
        # As text, since few readers of JSON keep integers of this size.
        "num_feasible": {bound: str(value) for bound, value in feasible.items()},
        "inputs": dict(inputs),
    }


def ranking_inputs(run: Path, budgets: Mapping[str, float], top: int, num_resamples: int) -> dict[str, Any]:
    """What a ranking is made from: the budgets, its length, its resamples, and the digest of each table of ratings."""
    tables = sorted((run / "ratings").rglob("*.parquet"))
    digests = {str(path.relative_to(run)): file_digest(path) for path in tables}
    return {"budgets": dict(budgets), "top": top, "num_resamples": num_resamples, "tables": digests}


def file_digest(path: Path) -> str:
    """Digest of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_budgets(run: Path) -> dict[str, float]:
    """The budgets that the run's config gives.

    Raises:
        ValueError: The folder is not a run's.
    """
    try:
        config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"RUN must be the folder of a run, with a config.yaml; {run} has none") from None
    return dict(config["budgets"])
