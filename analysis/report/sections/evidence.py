"""The section of the evidence: how far scores and trivial baselines agree with the accuracy of trained networks."""

import math
from typing import Any

import pandas as pd

from nasray.analysis.counting.statement import scope
from nasray.analysis.numerals import decimal
from nasray.analysis.report.content import Cell, Column, Figure, Key, Section, Table
from nasray.analysis.report.drawing.axis import linear, names
from nasray.analysis.report.drawing.chart import SMALL, Chart, rows_size
from nasray.analysis.report.drawing.palette import series_role
from nasray.analysis.runs.run import Run
from nasray.analysis.trust import additivity, calibration
from nasray.analysis.trust.agreement import ZERO_COST
from nasray.analysis.trust.verdict import sentence
from nasray.search_spaces.artefacts.columns import ARCHITECTURE
from nasray.search_spaces.artefacts.costs import counted_costs
from nasray.search_spaces.artefacts.criteria import CRITERIA

_STITCHED = {"stitched_accuracy": "stitched accuracy", "combined": "score and stitched"}
_OTHERS = {"depth": "depth", "naswot": "NASWOT", "synflow": "synflow", "random": "random order"}
_AXES = {
    "stitched_accuracy": "accuracy of the trained blocks put together",
    "depth": "depth, in layers",
    "naswot": "NASWOT, before the first step of training",
    "synflow": "log of synflow, before the first step of training",
}
_PROXY = series_role(3)
_GROUPS = {
    "top": ("best of the ranking", "ranked clear", "circle"),
    "sample": ("spread over all scores", "reference", "square"),
    "found": ("found by SD-DARTS", "found", "diamond"),
    "chosen": ("chosen by hand", "trained", "triangle"),
}
_TAUS = {
    "kendall_tau": "all networks",
    "kendall_tau_matched_macs": "pairs with alike MACs",
    "kendall_tau_matched_depth": "pairs with alike depth",
    "kendall_tau_top_decile": "best tenth by accuracy",
}


def section(run: Run) -> Section | None:
    """Scatters, and where there are enough networks intervals and figures, if some were trained for real."""
    networks, figures = run.agreement, run.agreement_figures
    if networks is None or len(networks) < 2:
        return None
    lead = f"{len(networks):,} networks were trained for real."
    parts: list[Figure | Table] = [_scatters(networks)]
    if figures is None:
        lead += " They are too few to say how far anything agrees with their accuracies."
    else:
        lead += f" {sentence(figures)}"
        parts += [_forest(figures), _table(figures)]
    if run.coverage is not None and networks["group"].isin(["top", "sample"]).any():
        lead = f"{lead} {scope(run.coverage, 'The best and the sampled are')}".rstrip()
    if run.calibration is not None:
        lead += f" {calibration.sentence(run.calibration)}"
    if run.additivity_figures is not None:
        lead += f" {additivity.sentence(run.additivity_figures)}"
        parts.append(_additivity(run.additivity_figures))
    return Section("agreement", "Agreement with accuracy", lead, parts)


def _predictors() -> dict[str, str]:
    """What each predictor of accuracy is called, those of the search in front."""
    costs = {cost.name: cost.noun for cost in counted_costs()}
    return {**_own(), **costs, **_OTHERS}


def _own() -> dict[str, str]:
    """The predictors that the search gives."""
    return {one.score: one.noun for one in CRITERIA.values()} | _STITCHED


def _scatters(networks: pd.DataFrame) -> Figure:
    present = [
        name for name in _predictors() if name in networks and networks[name].min() < networks[name].max()
    ]
    groups = [Key(*_GROUPS[group]) for group in _GROUPS if (networks["group"] == group).any()]
    return Figure(
        "Accuracy against what predicts it",
        "A good predictor orders the networks as their accuracy does: points fall where lower is better and rise "
        "elsewhere. Accuracy is the mean over training seeds, the stroke leads from the worst seed to the best.",
        [_scatter(networks[networks[name].notna()], name) for name in present],
        groups,
    )


def _scatter(networks: pd.DataFrame, predictor: str) -> Chart:
    lows, highs = networks["accuracies"].map(min), networks["accuracies"].map(max)
    y = linear("test accuracy (higher is better)", [*lows, *highs])
    axes = {one.score: one.axis for one in CRITERIA.values()} | _AXES
    chart = Chart(
        "",
        linear(
            axes.get(predictor, _predictors()[predictor]), networks[predictor], whole=predictor == "depth"
        ),
        y,
    )
    for x, low, high in zip(networks[predictor], lows, highs, strict=True):
        chart.line((x, x), (low, high), "error")
    for group, (_, role, shape) in _GROUPS.items():
        own = networks[networks["group"] == group]
        tips = [
            f"{row[ARCHITECTURE]}\naccuracy {decimal(row['accuracy'], 4)}, {predictor} {row[predictor]:,.6g}"
            for row in own.to_dict("records")
        ]
        chart.points(own[predictor].tolist(), own["accuracy"].tolist(), role, tips=tips, shape=shape)
    return chart


def _forest(figures: dict[str, Any]) -> Figure:
    """Each predictor's τ with its interval, for all pairs and for those that are alike in a cost."""
    predictors = figures["predictors"]
    charts = [
        _intervals(predictors, tau, title, figures["noise_ceiling"] if tau == "kendall_tau" else None)
        for tau, title in _TAUS.items()
        if any(one[tau] is not None for one in predictors.values())
    ]
    legend = [Key("rating", "ranked"), Key("trivial baseline", "reference")]
    caption = (
        f"Kendall's τ over {figures['num_networks']:,} networks: 1 is the same order, 0 none, −1 the reverse. "  # noqa: RUF001
        "Strokes are 95% intervals of a bootstrap over networks; where they overlap widely, more networks are needed. "
        "Among pairs with alike MACs or depth, a predictor cannot win by size alone."
    )
    if any(name in predictors for name in ZERO_COST):
        legend.append(Key("zero-cost proxy", _PROXY))
    if figures["noise_ceiling"] is not None:
        legend.append(Key("noise ceiling, with its interval", "trained", "line"))
        caption += _on_the_ceiling(figures["noise_ceiling"], figures["num_seeds"])
    return Figure("Kendall's τ with accuracy", caption, charts, legend)


def _on_the_ceiling(ceiling: dict[str, Any], num_seeds: int) -> str:
    """What the line of the noise ceiling is, and what lies above it."""
    text = (
        " The noise ceiling is the τ of one training seed's accuracies with another's. It is no upper limit: the "
        f"accuracies here are means over {num_seeds} seeds, so that a good predictor may lie above it"
    )
    attainable = ceiling.get("attainable_kendall_tau")  # runs from before it was estimated do not say
    if attainable is None:
        return f"{text}."
    return (
        f"{text}. One that knew the networks' true qualities would reach about {decimal(attainable['value'], 2)} (an "
        "estimate of our own, for normal noise)."
    )


def _role(predictor: str) -> str:
    return "ranked" if predictor in _own() else _PROXY if predictor in ZERO_COST else "reference"


def _intervals(predictors: dict[str, Any], tau: str, title: str, ceiling: dict[str, Any] | None) -> Chart:
    rows = [name for name, one in predictors.items() if one[tau] is not None]
    ends = [predictors[name][tau][end] for name in rows for end in ("low", "high")]
    ends += [0.0] if ceiling is None else [0.0, ceiling["kendall_tau"]["low"], ceiling["kendall_tau"]["high"]]
    labels = [_predictors().get(name, name) for name in rows]
    chart = Chart(
        title,
        linear("Kendall's τ (higher is better)", ends),
        names("", labels),
        rows_size(len(rows), SMALL[0]),
    )
    if ceiling is not None:
        one = ceiling["kendall_tau"]
        chart.box((one["low"], one["high"]), (-1.0, len(rows)), "trained faint")
        chart.along(one["value"], "trained", tip=f"noise ceiling {_interval(one)}")
    chart.along(0.0, "zero")
    for place, name in enumerate(rows):
        one, role = predictors[name][tau], _role(name)
        tip = f"{name}: {_interval(one)}"
        chart.line((one["low"], one["high"]), (place, place), f"{role} bold", tip=tip)
        chart.points([one["value"]], [place], role, tips=[tip], radius=4.5)
    return chart


def _table(figures: dict[str, Any]) -> Table:
    measures = {
        "kendall_tau": "τ",
        "spearman": "Spearman's ρ",  # noqa: RUF001
        **{key: f"τ, {_TAUS[key]}" for key in list(_TAUS)[1:]},
    }
    budgets = list(next(iter(figures["predictors"].values()))["regret"])
    columns = [Column("predictor", "what orders the networks", "text")]
    columns += [Column(text, "with its 95% interval") for text in measures.values()]
    columns += [Column(f"regret@{k}", f"accuracy lost by training only the first {k}") for k in budgets]
    rows = [
        [
            Cell(_predictors().get(name, name)),
            *(
                Cell(_interval(one[key]), math.nan if one[key] is None else one[key]["value"])
                for key in measures
            ),
            *(Cell(decimal(one["regret"][k], 4), one["regret"][k]) for k in budgets),
        ]
        for name, one in figures["predictors"].items()
    ]
    return Table(
        "Figures",
        "Values with their 95% intervals; a dash stands where too few networks or pairs are alike. Regret@k is how "
        "much accuracy is lost by training only the k networks that the predictor puts first.",
        columns,
        rows,
    )


def _additivity(figures: dict[str, dict[str, Any]]) -> Table:
    """How well the sum of what blocks do alone tells what they do together."""
    measures = {
        "pearson": ("Pearson's r", "correlation of sum and together"),
        "spearman": ("Spearman's ρ", "correlation of their orders"),  # noqa: RUF001
        "kendall_tau": ("Kendall's τ", "correlation of their orders"),
        "median_relative_error": ("median error", "|together − sum| / together"),  # noqa: RUF001
        "median_ratio": ("together / sum", "median; below 1 where blocks make up for each other's errors"),
    }
    rows = [
        [
            Cell(blocks),
            Cell(f"{one['num_swaps']:,}", one["num_swaps"]),
            *(Cell(decimal(one[key], 2), math.nan if one[key] is None else one[key]) for key in measures),
        ]
        for blocks, one in figures.items()
    ]
    return Table(
        "Do blocks act one by one?",
        "A score that is a sum supposes it. Candidates stand in the teacher in the place of its own blocks, together "
        "and each alone; what they do is how far the teacher's predictions on held-out images move.",
        [
            Column("blocks", "those that are swapped, from 0", "text"),
            Column("swaps", "how many were drawn"),
            *(Column(*pair) for pair in measures.values()),
        ],
        rows,
    )


def _interval(one: dict[str, float] | None) -> str:
    if one is None:
        return decimal(None)
    return f"{decimal(one['value'], 2)} [{decimal(one['low'], 2)}, {decimal(one['high'], 2)}]"
