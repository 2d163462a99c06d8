"""The ranking as a person reads it on the terminal."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from nasray.analysis.counting.coverage import Coverage
from nasray.analysis.counting.statement import proof
from nasray.analysis.numerals import quantity
from nasray.analysis.runs.rank import GROUP, NUM_LIKELY, SCORE_SE, SHARE_BETTER, TOP_PROBABILITY
from nasray.search_spaces.artefacts.costs import cost_kind
from nasray.search_spaces.artefacts.criteria import BY_SCORE, CRITERIA
from nasray.search_spaces.costs.uncounted import lower_bounds

_SHOWN = 10
_NO_COSTS = ("rank", "architecture", "score", SHARE_BETTER, SCORE_SE, TOP_PROBABILITY, GROUP)


def print_ranking(ranking: pd.DataFrame, console: Console) -> None:
    """Print the first architectures, and what is proved of all of them."""
    title = f"Best {min(_SHOWN, len(ranking))} of {len(ranking)} ranked"
    if ranking.attrs["by"] != BY_SCORE:
        title += f" by {CRITERIA[ranking.attrs['by']].noun}"
    table = Table(title=title, title_justify="left", box=None)
    costs = [name for name in ranking.columns if name not in _NO_COSTS]
    table.add_column("rank", justify="right")
    table.add_column("score", justify="right", no_wrap=True)
    for name in costs:
        table.add_column(cost_kind(str(name)).short, justify="right")
    table.add_column(f"in top {NUM_LIKELY}", justify="right")
    table.add_column("group", justify="right")
    table.add_column("architecture", overflow="fold")
    for row in ranking.head(_SHOWN).to_dict("records"):
        table.add_row(
            str(row["rank"]),
            _score(row),
            *(quantity(row[name]) for name in costs),
            "" if math.isnan(row[TOP_PROBABILITY]) else f"{row[TOP_PROBABILITY]:.2f}",
            str(row[GROUP]),
            str(row["architecture"]),
        )
    console.print(table)
    console.print(proof(ranking.attrs["certificate"], Coverage.read(ranking.attrs)), soft_wrap=True)
    uncounted = ranking.attrs["certificate"].get("uncounted")  # certificates of earlier versions have none
    if uncounted:
        console.print(lower_bounds(uncounted), soft_wrap=True)


def _score(row: Mapping[Any, Any]) -> str:
    """The score with its standard error, where there is more than one batch."""
    return f"{row['score']:.4f}" + ("" if math.isnan(row[SCORE_SE]) else f" ± {row[SCORE_SE]:.4f}")
