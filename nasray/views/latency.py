"""A measurement of latencies as a person reads it on the terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def print_latency(figures: Mapping[str, Any], run: Path, console: Console) -> None:
    """Print what was measured, how well the sums tell whole networks, and what can be done with it.

    Args:
        figures: See `nasray.commands.latency.measure_latency`.
        run: The run's folder, as it was given.
        console: Where to print.
    """
    console.print(
        f"Latency on {figures['device_name']} ({figures['device']}), batch {figures['batch_size']}, "
        f"threads {figures['num_threads']}, {figures['dtype']}, clock {figures['clock']}: "
        f"{figures['num_steps']} layers and heads, {figures['num_repeats']} times or more each, in "
        f"{figures['seconds']:.0f} s",
        soft_wrap=True,
    )
    additivity = figures["additivity"]
    title = f"Sums over the blocks against {additivity['num_held_out']} whole networks"
    table = Table(title=title, title_justify="left", box=None)
    for heading in ("", "median error", "95th percentile", "Kendall's τ"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    rows = {
        "as measured": additivity["before"],
        f"times {figures['scale']:.3f}, fitted to {additivity['num_fitted']} others": additivity["after"],
        "networks measured twice": figures["noise"],
    }
    for name, errors in rows.items():
        table.add_row(name, *_cells(errors))
    console.print(table)
    console.print(f"Rank under a budget of it: nasray rank {run} --max-latency-ms MS", soft_wrap=True)


def _cells(errors: Mapping[str, float | None]) -> list[str]:
    tau = errors["kendall_tau"]
    shares = [f"{errors[name]:.1%}" for name in ("median_relative_error", "p95_relative_error")]
    return [*shares, "" if tau is None else f"{tau:.3f}"]
