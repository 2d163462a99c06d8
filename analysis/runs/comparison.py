"""Runs beside each other, a row for each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nasray.analysis.runs.run import Run, load_run
from nasray.errors import UserError


def compare_runs(paths: Sequence[str | Path]) -> pd.DataFrame:
    """A row per run, to compare them.

    The columns are name, space, data, seed, num_architectures, num_left_out (how many of those within the budgets are
    not ranked, at most), best_score, first_accuracy (the mean test accuracy of the ranking's first, trained for real),
    num_networks that the ranking is judged by, Kendall's τ with their
    accuracies for each predictor (`tau_score`, `tau_num_macs`, ...), and the verdict on the ranking (`outcome`). What a
    run has not is missing in its row.

    Raises:
        UserError: If there is no path, or one is not a run's folder.
    """
    if not paths:
        raise UserError("paths must hold the folders of one run or more, got none")
    rows = [_summarise(load_run(path)) for path in paths]
    frame = pd.DataFrame(rows)
    for name in ("num_architectures", "num_left_out"):
        # As objects, since a missing one would else make floats of them all, and they may be of any size.
        frame[name] = pd.Series([row[name] for row in rows], dtype=object)
    return frame


def _summarise(run: Run) -> dict[str, Any]:
    figures = run.agreement_figures
    row = {
        "name": run.name,
        "space": run.space,
        "data": run.data,
        "seed": run.config["seed"],
        "num_architectures": run.num_architectures,
        "num_left_out": None if run.coverage is None else run.coverage.left_out.upper,
        "best_score": None if run.ranking is None else run.ranking["score"].iloc[0],
        "first_accuracy": _first_accuracy(run),
        "num_networks": None if figures is None else figures["num_networks"],
    }
    if figures is not None:
        row |= {f"tau_{name}": one["kendall_tau"]["value"] for name, one in figures["predictors"].items()}
        row["outcome"] = figures["verdict"]["outcome"]
    return row


def _first_accuracy(run: Run) -> float | None:
    """What the ranking's first reaches, trained for real; the best of all would be chosen by the test images."""
    if run.ranking is None or run.agreement is None:
        return None
    first = run.agreement[run.agreement["architecture"] == run.ranking["architecture"].iloc[0]]
    return None if first.empty else float(first["accuracy"].iloc[0])
