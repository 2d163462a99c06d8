"""A study's table as a person reads it on the terminal."""

import pandas as pd
from rich.console import Console
from rich.table import Table

from nasray.study import study_summary

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


def print_study(runs: pd.DataFrame, console: Console) -> None:
    """Print per space a table of its arms: mean and standard error of each measurement over the seeds."""
    for space, summary in study_summary(runs).groupby("space", sort=False):
        table = Table(title=f"Space {space}", title_justify="left", box=None)
        table.add_column("arm")
        table.add_column("runs", justify="right")
        for heading, _ in _SHOWN.values():
            table.add_column(heading, justify="right")
        for row in summary.to_dict("records"):
            cells = (
                _with_error(row[name], row[f"{name}_se"], digits) for name, (_, digits) in _SHOWN.items()
            )
            table.add_row(str(row["arm"]), str(row["num_runs"]), *cells)
        console.print(table)


def _with_error(mean: float, error: float, digits: int) -> str:
    """A mean with its standard error; one run has none."""
    text = f"{mean:.{digits}f}"
    return text if pd.isna(error) else f"{text} ± {error:.{digits}f}"
