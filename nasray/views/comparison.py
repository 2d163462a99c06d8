"""The table of a comparison as a person reads it on the terminal."""

from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from nasray.analysis.numerals import between, quantity, with_error
from nasray.analysis.studies.comparison import (
    ARM,
    CPU_SECONDS,
    GAIN,
    SPACE,
    TAU,
    comparison_summary,
    is_scored,
    measurements,
    sampled,
    sentences,
)
from nasray.search_spaces.artefacts.columns import NUM_MACS, NUM_PARAMS
from nasray.settings.comparison import ComparisonConfig

# What every comparison may have, with its heading, and how many digits it has.
_KNOWN = {
    "accuracy": ("accuracy", 4),
    GAIN: ("paired gain", 4),
    CPU_SECONDS: ("CPU seconds", 0),
    NUM_PARAMS: ("params", None),
    NUM_MACS: ("MACs", None),
}
_ANY_WIDTH = 10_000


def print_comparison(table: pd.DataFrame, networks: pd.DataFrame | None, console: Console) -> None:
    """Print per space a table of its arms: mean and standard error of each measurement over the seeds."""
    summary = comparison_summary(table, networks)
    for space, own in summary.groupby(SPACE, sort=False):
        shown, left_out = _fitting(str(space), own, console)
        console.print(shown)
        if left_out:
            console.print(
                f"The report page shows {', '.join(name.replace('_', ' ') for name in left_out)}, too.",
                soft_wrap=True,
            )
    if networks is not None:
        console.print(
            f"τ is that of an arm's scores on {len(sampled(networks))} networks drawn within the budgets, with its 95% "
            "interval.",
            soft_wrap=True,
        )
    console.print(sentences(summary, networks), soft_wrap=True)


def describe_comparison(comparison: ComparisonConfig) -> str:
    """What follows the searches that are shown, in a sentence."""
    number = len(comparison.seeds) * max(1, len(comparison.spaces)) * len(comparison.arms)
    text = f"{number} searches in all: {len(comparison.arms)} arms"
    text += f" in {len(comparison.spaces)} spaces" if comparison.spaces else ""
    text += f" with the seeds {', '.join(map(str, comparison.seeds))}"
    judge = comparison.judge
    if judge is None:
        return f"{text}."
    if not judge.sample:
        return f"{text}; then what each found is trained for real."
    return f"{text}; then {judge.sample} networks that are drawn, and what each found, are trained for real."


def _fitting(space: str, summary: pd.DataFrame, console: Console) -> tuple[Table, list[str]]:
    """A space's table that is no wider than the terminal, and the measurements that it leaves out for that."""
    names = measurements(summary, list(_KNOWN))
    unbounded = console.options.update(max_width=_ANY_WIDTH)
    for number in range(len(names), 0, -1):
        for narrow in (False, True):
            table = _table(space, summary, names[:number], narrow=narrow)
            if console.measure(table, options=unbounded).maximum <= console.width:
                return table, names[number:]
    return _table(space, summary, names[:1], narrow=True), names[1:]


def _table(space: str, summary: pd.DataFrame, names: list[str], *, narrow: bool) -> Table:
    """A space's table; a narrow one has headings in several lines, and errors below their means."""
    table = Table(
        title=f"Space {space}: means over seeds ± standard error",
        title_justify="left",
        box=None,
        padding=(0, 1 if narrow else 2, 0, 0),
    )
    table.add_column("arm", no_wrap=True)
    table.add_column("seeds", justify="right")
    scored = is_scored(summary)
    headings = (["τ", "95%"] if scored else []) + [
        _KNOWN[name][0] if name in _KNOWN else name.replace("_", " ") for name in names
    ]
    for heading in headings:
        table.add_column(heading.replace(" ", "\n") if narrow else heading, justify="right")
    for row in summary.to_dict("records"):
        scores = []
        if scored:
            interval = between(row["kendall_tau_low"], row["kendall_tau_high"], 2)
            scores = [with_error(row[TAU], row["kendall_tau_se"], 2), interval]
        cells = [*scores, *(_cell(row, name) for name in names)]
        if narrow:
            cells = [cell.replace(" ± ", "\n±").replace(" to ", "\n") for cell in cells]
        table.add_row(str(row[ARM]), str(row["num_seeds"]), *cells)
    return table


def _cell(row: dict[Any, Any], name: str) -> str:
    digits = _KNOWN[name][1] if name in _KNOWN else 3
    if digits is None:
        return quantity(row[name])
    return with_error(row[name], row[f"{name}_se"], digits)
