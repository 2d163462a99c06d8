"""Architectures to compare others with: what the space's smallest, largest and found ones cost and score."""

import pandas as pd

from nasray.analysis.runs.run import Run
from nasray.analysis.tables.sums import sum_columns
from nasray.search_spaces.artefacts.columns import ARCHITECTURE, CANDIDATE, NUM_MACS, RATING, SCORE
from nasray.search_spaces.artefacts.costs import counted_costs
from nasray.search_spaces.chain.extremes import extreme_rows


def shown_costs() -> dict[str, str]:
    """The counted costs with what they are called, MACs first: of all, they tell best what a network takes."""
    kinds = sorted(counted_costs(), key=lambda cost: cost.name != NUM_MACS)
    return {cost.name: cost.noun for cost in kinds}


def extremes(tables: list[pd.DataFrame]) -> list[dict[str, object]]:
    """The architectures of fewest and of most MACs: `name` (smallest, largest), architecture, score and costs."""
    found: list[dict[str, object]] = []
    for name, is_largest in (("smallest", False), ("largest", True)):
        rows = extreme_rows(tables, largest=is_largest)
        text = "/".join(str(table[CANDIDATE].iloc[row]) for table, row in zip(tables, rows, strict=True))
        sums = sum_columns(text, tables, [RATING, *shown_costs()])
        found.append({"name": name, ARCHITECTURE: text, SCORE: sums.pop(RATING), **sums})
    return found


def found(run: Run) -> pd.DataFrame | None:
    """What the differentiable search found, with its score where it is rated."""
    if run.found is None:
        return None
    return run.found if SCORE in run.found else run.found.assign(**{SCORE: float("nan")})


def trained(run: Run) -> pd.DataFrame | None:
    """The networks of the run's space that were trained for real, and alike, a row each.

    Columns: architecture, accuracy (its mean over the trainings), `accuracy_se`, num_trainings, and where the run has
    all ratings, score and costs.
    """
    trainings = run.retrained_alike
    if trainings is None or run.comparison is not None:  # which are of several spaces or splits
        return None
    groups = trainings.groupby(ARCHITECTURE, sort=False)["test_accuracy"]
    frame = groups.agg(accuracy="mean", accuracy_se="sem", num_trainings="count").reset_index()
    costs = trainings.groupby(ARCHITECTURE, sort=False)[
        [name for name in shown_costs() if name in trainings]
    ].first()
    frame = frame.join(costs, on=ARCHITECTURE)
    tables = run.tables
    if tables is not None:
        frame[SCORE] = [sum_columns(text, tables, [RATING])[RATING] for text in frame[ARCHITECTURE]]
    return frame
