"""A study's table as a person reads it on the terminal."""

import pandas as pd
from rich.console import Console
from rich.table import Table

from nasray.pipeline.study import study_summary

# What is shown, with its heading, and how many digits it has.
_SHOWN = {
    "test_accuracy": ("accuracy of the found", 3),
    "gain": ("paired gain", 3),
    "num_skips": ("skips", 1),
    "alpha_eigenvalue": ("eigenvalue", 3),
    "weight_noise_slope": ("noise slope", 3),
    "discretization_gap": ("gap", 3),
    "seconds": ("seconds", 0),
}
_ANY_WIDTH = 10_000


def print_study(runs: pd.DataFrame, console: Console) -> None:
    """Print per space a table of its arms: mean and standard error of each measurement over the seeds."""
    unbounded = console.options.update(max_width=_ANY_WIDTH)
    for _, summary in study_summary(runs).groupby("space", sort=False):
        table = _table(summary, narrow=False)
        if console.measure(table, options=unbounded).maximum > console.width:
            table = _table(summary, narrow=True)
        console.print(table)


def _table(summary: pd.DataFrame, *, narrow: bool) -> Table:
    """A space's table; a narrow one has headings in several lines, and errors below their means."""
    table = Table(
        title=f"Space {summary['space'].iloc[0]}",
        title_justify="left",
        box=None,
        padding=(0, 1 if narrow else 2, 0, 0),
    )
    table.add_column("arm", no_wrap=True)
    table.add_column("runs", justify="right")
    for heading, _ in _SHOWN.values():
        table.add_column(heading.replace(" ", "\n") if narrow else heading, justify="right")
    plus_minus = "\n±" if narrow else " ± "
    for row in summary.to_dict("records"):
        cells = (
            _with_error(row[name], row[f"{name}_se"], digits, plus_minus)
            for name, (_, digits) in _SHOWN.items()
        )
        table.add_row(str(row["arm"]), str(row["num_runs"]), *cells)
    return table


def _with_error(mean: float, error: float, digits: int, plus_minus: str) -> str:
    """A mean with its standard error; one run has none."""
    text = f"{mean:.{digits}f}"
    return text if pd.isna(error) else f"{text}{plus_minus}{error:.{digits}f}"
