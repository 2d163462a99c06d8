"""The table of a family study as a person reads it on the terminal."""

import pandas as pd
from rich.console import Console
from rich.table import Table

from nasray.analysis.numerals import decimal, quantity, with_error
from nasray.analysis.studies.family import METHOD, family_summary, sampled, sentence
from nasray.search_spaces.artefacts.columns import NUM_MACS, NUM_PARAMS


def print_family(finds: pd.DataFrame, networks: pd.DataFrame, console: Console) -> None:
    """Print a row per method: what its search took, how far its scores agree, what it found."""
    summary = family_summary(finds, networks)
    title = (
        f"CPU-seconds of a search; τ of its scores on {len(sampled(networks))} networks drawn within the "
        "budgets, with its 95% interval; what it found. Means over seeds ± standard error"
    )
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for heading in ("method", "CPU-s", "τ", "95%", "accuracy", "params", "MACs"):
        table.add_column(heading, justify="left" if heading == METHOD else "right", no_wrap=True)
    for row in summary.to_dict("records"):
        table.add_row(
            str(row[METHOD]),
            with_error(row["cpu_seconds"], row["cpu_seconds_se"], 0),
            with_error(row["kendall_tau"], row["kendall_tau_se"], 2),
            f"{decimal(row['kendall_tau_low'], 2)} to {decimal(row['kendall_tau_high'], 2)}",
            with_error(row["accuracy"], row["accuracy_se"], 4),
            quantity(row[NUM_PARAMS]),
            quantity(row[NUM_MACS]),
        )
    console.print(table)
    console.print(sentence(summary, networks), soft_wrap=True)


def describe_family(seeds: tuple[int, ...], num_networks: int) -> str:
    """What follows the searches of the first seed, in a sentence."""
    again = f"The same follows with the seeds {', '.join(map(str, seeds[1:]))}; then" if seeds[1:] else "Then"
    return (
        f"{again} {num_networks} networks that are drawn, and what each search found, are trained for real."
    )
