"""Changes from one ranking of a space to another.

Source: our own reading.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from nasray.analysis.tables.rows import architecture_rows
from nasray.search_spaces.architecture import SEPARATOR
from nasray.search_spaces.artefacts.columns import ARCHITECTURE, CANDIDATE, RATING

NUM_TOP = 10
_NUM_DRAWN = 2000


@dataclass(frozen=True, slots=True)
class Change:
    """How two rankings of one space differ.

    Attributes:
        kendall_tau: Kendall's tau-b between them, -1 to 1; NaN where nothing is told apart.
        num_compared: Over how many architectures.
        num_shared: How many of the ten best of the one are among those of the other.
    """

    kendall_tau: float
    num_compared: int
    num_shared: int


def compare_rankings(
    before: tuple[pd.DataFrame, Sequence[pd.DataFrame]],
    after: tuple[pd.DataFrame, Sequence[pd.DataFrame]],
    budgets: Mapping[str, float],
    *,
    seed: int,
) -> Change:
    """What changed between two rankings.

    Correlated are the scores of 2,000 architectures, drawn uniformly with replacement from all, as far as they are
    within the budgets and rated in both.

    Args:
        before: The best of the one ranking, best first, and the ratings of each block.
        after: The same of the other; the candidates are the same.
        budgets: Upper bound, inclusive, of the sum of a cost.
        seed: Decides which are drawn.
    """
    (top_before, tables_before), (top_after, tables_after) = before, after
    drawn = _draw(tables_before, np.random.default_rng(seed))
    frame = _sums(drawn, tables_before, budgets).assign(after=_sums(drawn, tables_after, [])[RATING])
    for name, limit in budgets.items():
        frame = frame[frame[name] <= limit]
    frame = frame.dropna(subset=[RATING, "after"])
    tau = kendalltau(frame[RATING], frame["after"]).statistic if len(frame) > 1 else np.nan
    best = (set(top[ARCHITECTURE][:NUM_TOP]) for top in (top_before, top_after))
    return Change(float(tau), len(frame), len(set.intersection(*best)))


def _draw(tables: Sequence[pd.DataFrame], rng: np.random.Generator) -> list[str]:
    """Architectures, each candidate of a block as likely as the others."""
    chosen = [rng.choice(table[CANDIDATE].unique(), _NUM_DRAWN) for table in tables]
    return [SEPARATOR.join(candidates) for candidates in zip(*chosen, strict=True)]


def _sums(architectures: Sequence[str], tables: Sequence[pd.DataFrame], costs: Iterable[str]) -> pd.DataFrame:
    """The sums of the ratings and of the costs of each architecture."""
    names = [RATING, *costs]
    rows = architecture_rows(architectures, tables)
    parts = (
        table[names].iloc[places].to_numpy(np.float64) for table, places in zip(tables, rows, strict=True)
    )
    return pd.DataFrame(sum(parts, np.zeros((len(architectures), len(names)))), columns=names)
