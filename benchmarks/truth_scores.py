"""Agreement of a search's scores with known accuracies, as a table over seeds."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from truth_space import TABLE

from nasray.analysis.tables.ratings import load_ratings
from nasray.analysis.tables.rows import architecture_rows
from nasray.analysis.trust.agreement import agreement
from nasray.search_spaces.architecture import Architecture

SCORES = {"rating": "score", "swap_in": "swap_in_score"}
BASELINES = ("num_macs", "num_params", "depth", "random")
MEASURES = ("kendall_tau", "kendall_tau_matched_depth", "kendall_tau_matched_macs")


def small_truth() -> pd.DataFrame:
    """A row per architecture of `truth_space.py`: accuracies, their mean, costs and depth."""
    rows = pd.read_csv(TABLE)
    truth = rows.groupby("architecture").agg(
        accuracies=("accuracy", list), num_params=("num_params", "first"), num_macs=("num_macs", "first")
    )
    truth = truth[truth["accuracies"].map(len) == truth["accuracies"].map(len).max()]
    truth["accuracy"] = truth["accuracies"].map(np.mean)
    parsed = truth.index.map(Architecture.parse)
    truth["depth"] = [sum(c.depth for c in architecture.candidates) for architecture in parsed]
    return truth


def scores(architectures: pd.Index, run: Path) -> pd.DataFrame:
    """What a finished search's ratings add up to for each architecture: the columns `score` and `swap_in_score`."""
    tables = load_ratings(run)
    places = architecture_rows(list(architectures), tables)
    sums = {
        score: sum(table[column].to_numpy()[place] for table, place in zip(tables, places, strict=True))
        for column, score in SCORES.items()
    }
    return pd.DataFrame(sums, index=architectures)


def print_agreement(truth: pd.DataFrame, predictions: Iterable[tuple[str, Sequence[pd.DataFrame]]]) -> None:
    """Print what each predictor of each arm is worth, means over seeds with standard errors, then the trivial ones.

    Args:
        truth: A row per architecture with what `nasray.analysis.trust.agreement.agreement` needs but for the scores.
        predictions: Per arm its name and, per seed, a frame of predictors with the truth's index.
    """
    print(f"{'':<38}{'tau':>14}{'equal depth':>14}{'alike MACs':>14}{'regret of 1':>16}")
    found: dict[str, Any] = {}
    for arm, frames in predictions:
        rows: dict[str, list[dict[str, Any]]] = {}
        for frame in frames:
            found = agreement(truth.join(frame).reset_index(), num_resamples=1)
            for predictor in found["predictors"].keys() - set(BASELINES):
                rows.setdefault(predictor, []).append(found["predictors"][predictor])
        for predictor, own in sorted(rows.items()):
            _print_row(f"{arm}, {predictor}", own)
    for name in sorted(BASELINES):
        _print_row(name, [found["predictors"][name]])
    print(f"one training seed against the other: {found['noise_ceiling']['kendall_tau']['value']:.3f}")


def standard_error(values: Sequence[float]) -> float:
    """The standard error of the mean, 0 of a single value."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def _print_row(name: str, rows: list[dict[str, Any]]) -> None:
    columns = [[row[measure]["value"] for row in rows] for measure in MEASURES]
    columns.append([row["regret"]["1"] for row in rows])
    cells = (f"{np.mean(values):.3f} ± {standard_error(values):.3f}" for values in columns)
    print(f"{name:<38}" + "".join(f"{cell:>14}" for cell in cells), flush=True)
