"""The section of the trade-off between quality and cost: scores and accuracies against MACs and parameters."""

import numpy as np
import pandas as pd

from nasray.analysis.exact.ranking import RANK, top_architectures
from nasray.analysis.exact.unrated import unrated_candidates
from nasray.analysis.numerals import decimal, quantity
from nasray.analysis.report.content import Figure, Key, Section
from nasray.analysis.report.drawing.axis import linear
from nasray.analysis.report.drawing.chart import MEDIUM, Chart
from nasray.analysis.report.drawing.cloud import draw_cloud
from nasray.analysis.report.reference import extremes, found, shown_costs, trained
from nasray.analysis.runs.run import Run
from nasray.search_spaces.artefacts.columns import ARCHITECTURE, SCORE
from nasray.search_spaces.artefacts.costs import cost_kind

_NUM_BUDGETS = 12
_TIME_LIMIT_SECONDS = 2.0  # for each budget; what is not proved by then is left out
_SHAPES = {"smallest": "triangle-down", "largest": "triangle"}


def section(run: Run) -> Section | None:
    """Scores against costs where all are ranked, accuracies against costs where networks were trained for real."""
    figures = [figure for figure in (_score_figure(run), _accuracy_figure(run)) if figure is not None]
    if not figures:
        return None
    return Section("costs", "Quality against cost", "What better architectures cost.", figures)


def best_within(
    tables: list[pd.DataFrame], cost: str, budgets: dict[str, float], costs: np.ndarray
) -> pd.DataFrame:
    """The best architecture within each of several budgets of a cost, in a frame as a ranking's, without repetition.

    Args:
        tables: The ratings of each block.
        cost: The cost's name.
        budgets: Those that all keep as well.
        costs: The budgets of the cost, ascending.
    """
    found = []
    for limit in costs:
        limits = {**budgets, cost: min(float(limit), budgets.get(cost, np.inf))}
        try:
            best = top_architectures(tables, limits, 1, time_limit_seconds=_TIME_LIMIT_SECONDS)
        except ValueError:  # the other budgets leave nothing as small
            continue
        if best.attrs["certificate"]["proved"]:
            found.append(best.drop(columns=RANK))
    return pd.concat(found).drop_duplicates(ARCHITECTURE) if found else pd.DataFrame()


def _score_figure(run: Run) -> Figure | None:
    if run.ranking is None or run.tables is None:
        return None
    references = pd.DataFrame(extremes(run.tables))
    rated = "rated " if unrated_candidates(run.tables) else ""
    return Figure(
        "Score against cost",
        f"The line joins the best of all {rated}architectures within each of some budgets, each proved: nothing lies "
        "below it at those budgets. Where it runs flat, more cost buys no better score.",
        [_score_chart(run, run.ranking, run.tables, references, cost) for cost in shown_costs()],
        [
            Key("best within a budget", "front", "line"),
            Key("ranked", "ranked clear"),
            *([Key("found by SD-DARTS", "found", "diamond")] if run.found is not None else []),
            *([Key("trained for real", "trained", "square")] if trained(run) is not None else []),
            Key("largest of the space", "reference", "triangle"),
            Key("smallest of the space", "reference", "triangle-down"),
        ],
        is_wide=True,
    )


def _score_chart(
    run: Run, ranking: pd.DataFrame, tables: list[pd.DataFrame], references: pd.DataFrame, cost: str
) -> Chart:
    limits = np.linspace(references[cost].min(), references[cost].max(), _NUM_BUDGETS)
    front = best_within(tables, cost, run.config["budgets"], limits)
    others = [frame for frame in (front, found(run), trained(run)) if frame is not None and SCORE in frame]
    every = pd.concat([ranking, references, *others])
    chart = Chart(
        "",
        linear(cost_kind(cost).noun, every[cost], low=0),
        linear("score (lower is better)", every[SCORE]),
        MEDIUM,
    )
    draw_cloud(chart, ranking, cost, SCORE, "ranked clear", _tips)
    if len(front):
        chart.line(front[cost].tolist(), front[SCORE].tolist(), "front")
        chart.points(front[cost].tolist(), front[SCORE].tolist(), "front", tips=_tips(front), radius=2.6)
    for frame, role, shape in ((trained(run), "trained", "square"), (found(run), "found", "diamond")):
        if frame is not None and cost in frame and SCORE in frame:
            chart.points(
                frame[cost].tolist(), frame[SCORE].tolist(), role, tips=_tips(frame), shape=shape, radius=4
            )
    for (_, row), tip in zip(references.iterrows(), _tips(references), strict=True):
        shape, tips = _SHAPES[row["name"]], [f"{row['name']} of the space\n{tip}"]
        chart.points([row[cost]], [row[SCORE]], "reference", tips=tips, shape=shape, radius=4.5)
    return chart


def _accuracy_figure(run: Run) -> Figure | None:
    networks = trained(run)
    if networks is None or len(networks) < 2 or not any(cost in networks for cost in shown_costs()):
        return None
    teacher = None if run.teacher is None else run.teacher.get("held_out_accuracy")
    legend = [
        Key("trained for real", "trained", "square"),
        Key("none is both cheaper and better", "front", "line"),
    ]
    if run.found is not None:
        legend.insert(1, Key("found by SD-DARTS", "found", "diamond"))
    if teacher is not None:
        legend.append(Key(f"the teacher on held-out images, {decimal(teacher)}", "reference", "line"))
    return Figure(
        "Accuracy against cost",
        "Mean accuracy on the test images over the training seeds; the stroke is one standard error to each side.",
        [_accuracy_chart(run, networks, teacher, cost) for cost in shown_costs() if cost in networks],
        legend,
        is_wide=True,
    )


def _accuracy_chart(run: Run, networks: pd.DataFrame, teacher: float | None, cost: str) -> Chart:
    errors = networks["accuracy_se"].fillna(0.0)
    low, high = networks["accuracy"] - errors, networks["accuracy"] + errors
    values = [*low, *high, *([] if teacher is None else [teacher])]
    chart = Chart(
        "",
        linear(cost_kind(cost).noun, networks[cost], low=0),
        linear("test accuracy (higher is better)", values),
        MEDIUM,
    )
    if teacher is not None:
        chart.across(teacher, "reference dashed")
    front = pareto_front(networks, cost)
    chart.line(front[cost].tolist(), front["accuracy"].tolist(), "front")
    for x, bottom, top in zip(networks[cost], low, high, strict=True):
        chart.line((x, x), (bottom, top), "trained")
    is_found = networks[ARCHITECTURE].isin([] if run.found is None else run.found[ARCHITECTURE])
    for frame, role, shape in (
        (networks[~is_found], "trained", "square"),
        (networks[is_found], "found", "diamond"),
    ):
        chart.points(
            frame[cost].tolist(), frame["accuracy"].tolist(), role, tips=_tips(frame), shape=shape, radius=4
        )
    return chart


def pareto_front(networks: pd.DataFrame, cost: str) -> pd.DataFrame:
    """The networks that none which costs as little or less beats in accuracy, cheapest first."""
    ordered = networks.sort_values([cost, "accuracy"], ascending=[True, False])
    return ordered[ordered["accuracy"] > ordered["accuracy"].cummax().shift(fill_value=-np.inf)]


def _tips(frame: pd.DataFrame) -> list[str]:
    """The texts of architectures, with what is known of them."""
    texts = []
    for row in frame.to_dict("records"):
        parts = [f"rank {row[RANK]}"] if RANK in row else []
        parts += [f"score {decimal(row[SCORE], 4)}"] if SCORE in row else []
        parts += [f"accuracy {decimal(row['accuracy'], 4)}"] if "accuracy" in row else []
        parts += [f"{quantity(row[cost])} {label}" for cost, label in shown_costs().items() if cost in row]
        texts.append(f"{row[ARCHITECTURE]}\n{', '.join(parts)}")
    return texts
