"""The section of SD-DARTS: what was measured of its supernets while they searched."""

import pandas as pd

from nasray.analysis.numerals import with_error
from nasray.analysis.report.content import Figure, Key, Section
from nasray.analysis.report.drawing.axis import linear
from nasray.analysis.report.drawing.chart import Chart
from nasray.analysis.report.drawing.palette import series_role
from nasray.analysis.runs.run import Run
from nasray.analysis.studies.comparison import ARM, COLUMN, SPACE
from nasray.methods.sd_darts.declaration import STAGE
from nasray.search_spaces.artefacts.columns import ARCHITECTURE

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


def section(run: Run) -> Section | None:
    """Measurements per epoch; of a comparison those of its searches, by space and arm."""
    curves = _curves(run)
    if curves is None or curves.empty:
        return None
    arms = {arm: series_role(number) for number, arm in enumerate(dict.fromkeys(curves["arm"]))}
    figures = [_figure(str(space), own, arms) for space, own in curves.groupby("space", sort=False)]
    return Section("sd_darts", "SD-DARTS", _lead(run), figures)


def _curves(run: Run) -> pd.DataFrame | None:
    """What was measured, with the `space` and `arm` of each search; empty texts of a search that stands alone."""
    if run.comparison is None:
        return _own_curves(run, "", "")
    runs = {part.name: part for part in run.parts}
    found = [
        _own_curves(runs[row[COLUMN]], str(row[SPACE]), str(row[ARM]))
        for row in run.comparison.to_dict("records")
        if row[COLUMN] in runs
    ]
    frames = [frame for frame in found if frame is not None and len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else None


def _own_curves(run: Run, space: str, arm: str) -> pd.DataFrame | None:
    if run.curves is None:
        return None
    own = run.curves[(run.curves["kind"] == STAGE) & run.curves["metric"].isin(list(_MEASURED))]
    return own.assign(space=space, arm=arm)


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
