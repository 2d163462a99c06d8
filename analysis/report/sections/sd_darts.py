"""The sections of SD-DARTS: what was measured while it searched, and of a study what its arms found."""

import numpy as np
import pandas as pd

from nasray.analysis.exact.ranking import ARCHITECTURE
from nasray.analysis.numerals import decimal, with_error
from nasray.analysis.report.content import Cell, Column, Figure, Key, Section, Table
from nasray.analysis.report.drawing.axis import linear, names
from nasray.analysis.report.drawing.chart import Chart, rows_size
from nasray.analysis.report.drawing.palette import series_role
from nasray.analysis.runs.run import Run

_MEASURED = {
    "alpha_eigenvalue": ("Dominant eigenvalue", "of the Hessian in the alphas (lower: flatter)"),
    "weight_noise_slope": ("Noise slope", "rise of the loss with noise on weights (lower: flatter)"),
    "discretization_gap": ("Discretization gap", "accuracy lost by discretizing (lower is better)"),
    "alpha_entropy": ("Entropy of the alphas", "nats (lower: more decided)"),
    "num_skips": ("Skips", "skips in the present architecture"),
    "held_out_accuracy": ("Supernet", "held-out accuracy (higher is better)"),
}
_CAPTION = (
    "Flat minima (a low eigenvalue, a low slope) are thought to survive discretization better; a search that collapses "
    "fills its architecture with skips while the eigenvalue grows."
)
_SUMMARY = {
    "test_accuracy": ("accuracy", 4),
    "num_skips": ("skips", 1),
    "alpha_eigenvalue": ("eigenvalue", 3),
    "weight_noise_slope": ("noise slope", 3),
    "discretization_gap": ("gap", 3),
    "alpha_entropy": ("entropy", 3),
    "seconds": ("seconds", 0),
}


def section(run: Run) -> Section | None:
    """Measurements per epoch; of a study by arm and space, with what its runs found."""
    if run.curves is None:
        return None
    own = run.curves[(run.curves["kind"] == "sd_darts") & run.curves["metric"].isin(list(_MEASURED))]
    if own.empty:
        return None
    units = own["unit"].str.split("/", expand=True).reindex(columns=range(4)).astype(object).fillna("")
    own = own.assign(space=units[1], arm=units[2])
    if run.study is not None:  # a run that the study no longer has may be of other settings
        runs = run.study["space"] + "/" + run.study["arm"] + "/seed_" + run.study["seed"].astype(str)
        own = own[own["unit"].isin("sd_darts/" + runs)]
    arms = _arms(run, own)
    figures: list[Figure | Table] = []
    for space, curves in own.groupby("space", sort=False):
        figures.append(_figure(str(space), curves, arms))
        if run.study is not None and (run.study["space"] == space).any():
            study = run.study[run.study["space"] == space]
            figures += [_found_figure(str(space), study, arms), _summary(str(space), study)]
    return Section("sd_darts", "SD-DARTS", _lead(run), figures)


def _lead(run: Run) -> str:
    if run.found is None:
        return "What was measured of the supernets while they searched."
    found = run.found.iloc[0]
    return f"Found after epoch {found['epoch']}: {found[ARCHITECTURE]}."


def _figure(space: str, curves: pd.DataFrame, arms: dict[str, str]) -> Figure:
    here = {arm: role for arm, role in arms.items() if (curves["arm"] == arm).any()}
    charts = [
        _chart(title, label, curves[curves["metric"] == metric], here)
        for metric, (title, label) in _MEASURED.items()
        if (curves["metric"] == metric).any()
    ]
    if list(here) == [""]:
        return Figure("While it searched", _CAPTION, charts)
    return Figure(
        f"While they searched: {space}",
        f"Mean over the seeds of each arm, the band is one standard error to each side. {_CAPTION}",
        charts,
        [Key(arm, role, "line") for arm, role in here.items()],
    )


def _arms(run: Run, curves: pd.DataFrame) -> dict[str, str]:
    """The arms with their colours, as the study's config lists them, then those that it no longer has."""
    listed = (run.config.get("study") or {}).get("arms") or {}
    tabulated: list[str] = [] if run.study is None else run.study["arm"].tolist()
    arms = dict.fromkeys([*listed, *tabulated, *curves["arm"]])
    return {arm: series_role(number) for number, arm in enumerate(arms)}


def _chart(title: str, label: str, curves: pd.DataFrame, arms: dict[str, str]) -> Chart:
    summary = curves.groupby(["arm", "epoch"])["value"].agg(["mean", "sem"])
    summary = summary.dropna(subset="mean").fillna({"sem": 0.0}).reset_index()
    lows, highs = summary["mean"] - summary["sem"], summary["mean"] + summary["sem"]
    chart = Chart(
        title,
        linear("epoch", curves["epoch"], low=1, whole=True),
        linear(label, [*lows, *highs], whole="num_skips" in set(curves["metric"])),
    )
    for arm, role in arms.items():
        own = summary[summary["arm"] == arm]
        epochs, means, errors = own["epoch"].tolist(), own["mean"], own["sem"]
        if (errors > 0).any():
            chart.band(epochs, (means - errors).tolist(), (means + errors).tolist(), role)
    for arm, role in arms.items():
        own = summary[summary["arm"] == arm]
        tips = [
            f"{arm}\nepoch {row['epoch']}: {with_error(row['mean'], row['sem'])}".strip()
            for row in own.to_dict("records")
        ]
        chart.line(own["epoch"].tolist(), own["mean"].tolist(), role)
        chart.points(own["epoch"].tolist(), own["mean"].tolist(), role, tips=tips, radius=2.2)
    return chart


def _found_figure(space: str, study: pd.DataFrame, roles: dict[str, str]) -> Figure:
    """The accuracy of what each run found, a row per arm."""
    arms = [arm for arm in roles if (study["arm"] == arm).any()]
    x = linear("test accuracy of the found, trained for real (higher is better)", study["test_accuracy"])
    chart = Chart("", x, names("", arms), rows_size(len(arms)))
    for place, arm in enumerate(arms):
        own, role = study[study["arm"] == arm], roles[arm]
        mean, error = _mean_and_error(own["test_accuracy"])
        tips = [
            f"{arm}, seed {row['seed']}: {decimal(row['test_accuracy'], 4)}\n{row[ARCHITECTURE]}"
            for row in own.to_dict("records")
        ]
        chart.line(
            (mean - error, mean + error),
            (place, place),
            f"{role} bold",
            tip=f"{arm}: {with_error(mean, error, 4)}",
        )
        chart.points(own["test_accuracy"].tolist(), [place] * len(own), role, tips=tips, radius=3)
        chart.line((mean, mean), (place - 0.3, place + 0.3), f"{role} bold")
    return Figure(
        f"What was found: {space}",
        "A point per seed; the upright stroke is the mean, the lying one leads one standard error to each side.",
        [chart],
    )


def _mean_and_error(values: pd.Series) -> tuple[float, float]:
    """The mean of what is known with its standard error, NaN for one value."""
    known = values.dropna().to_numpy(float)
    if len(known) < 2:
        return float(values.mean()), np.nan
    return float(known.mean()), float(known.std(ddof=1) / np.sqrt(len(known)))


def _summary(space: str, study: pd.DataFrame) -> Table:
    """Means and standard errors per arm, with the paired gain over the first one."""
    measures = {"test_accuracy": _SUMMARY["test_accuracy"], "gain": ("paired gain", 4), **_SUMMARY}
    measures = {name: shown for name, shown in measures.items() if name in study}
    rows = []
    for arm, own in study.groupby("arm", sort=False):
        cells = [
            Cell(with_error(*_mean_and_error(own[name]), digits), float(own[name].mean()))
            for name, (_, digits) in measures.items()
        ]
        rows.append([Cell(str(arm)), Cell(str(len(own)), len(own)), *cells])
    return Table(
        f"Arms: {space}",
        "Mean and standard error over the seeds. The paired gain is the difference in accuracy to the run of the "
        "study's first arm with the same seed. What was measured of the supernet is that of the epoch whose "
        "architecture was chosen.",
        [
            Column("arm", "settings", "text"),
            Column("runs", "number of seeds"),
            *(Column(text, "mean ± standard error") for text, _ in measures.values()),
        ],
        rows,
    )
