"""The evidence as a person reads it on the terminal."""

from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from nasray.analysis.counting.statement import scope
from nasray.analysis.numerals import quantity
from nasray.analysis.trust import calibration, verdict
from nasray.evidence.evidence import Evidence
from nasray.evidence.networks import GROUP, SAMPLE, TOP
from nasray.search_spaces.artefacts.columns import ACCURACIES, ACCURACY
from nasray.search_spaces.artefacts.costs import counted_costs


def print_evidence(evidence: Evidence, console: Console) -> None:
    """Print the accuracies, those of sampled networks that nobody asked for as a range, and how the ranking agrees."""
    networks = evidence.networks
    if not len(networks):
        return
    several = networks[ACCURACIES].map(len).max() > 1
    title = "Trained for real, tested on the test images" + (
        ": mean over training seeds (lowest to highest)" if several else ""
    )
    table = Table(title=title, title_justify="left", box=None)
    costs = [cost for cost in counted_costs() if cost.name in networks]
    for heading in ("why", "accuracy", *(cost.short for cost in costs)):
        table.add_column(heading, justify="left" if heading == "why" else "right", no_wrap=True)
    table.add_column("architecture", overflow="fold")
    told = (networks[GROUP] != SAMPLE) | networks["architecture"].isin(evidence.asked)
    for row in networks[told].to_dict("records"):
        table.add_row(
            str(row[GROUP]),
            _accuracy(row),
            *(quantity(row[cost.name]) for cost in costs),
            str(row["architecture"]),
        )
    if table.row_count:
        console.print(table)
    sampled = networks[networks[GROUP] == SAMPLE]
    if len(sampled):
        console.print(_range(sampled), soft_wrap=True)
    covered = evidence.coverage
    if covered is not None and not covered.is_whole and networks[GROUP].isin([TOP, SAMPLE]).any():
        console.print(scope(covered, "The best and the sampled are"), soft_wrap=True)
    if evidence.agreement is not None:
        console.print(verdict.sentence(evidence.agreement), soft_wrap=True)
    if evidence.calibration is not None and evidence.calibration["helps"]:
        console.print(
            f"{calibration.sentence(evidence.calibration)} `nasray rank RUN --by calibrated` ranks by them.",
            soft_wrap=True,
        )


def _accuracy(row: dict[Any, Any]) -> str:
    """The mean over the training seeds, and their range: no standard error, which test images and seeds both have."""
    values, mean = row[ACCURACIES], f"{row[ACCURACY]:.4f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.4f} to {max(values):.4f})"


def _range(sampled: pd.DataFrame) -> str:
    low, high = sampled[ACCURACY].min(), sampled[ACCURACY].max()
    return f"{len(sampled)} more, sampled over the whole range of scores, reach {low:.4f} to {high:.4f}."
