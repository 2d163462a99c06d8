"""Additivity of blocks: how well the sum of their effects alone tells their effect together.

Source: ours; the correlations are SciPy's.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

_FEWEST = 3


def additivity(swaps: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Figures for each group of blocks that were swapped into the teacher, by its name such as "0+2".

    Each holds `num_swaps` (of finite divergences), the correlations `pearson`, `spearman` and `kendall_tau` between sum
    and together (None of fewer than three swaps, or where one of them does not vary), `median_relative_error`
    (|together - sum| / together) and `median_ratio` (together / sum: below 1 where blocks make up for each other's
    errors, above where they make them worse).

    Args:
        swaps: A row per swap, with the columns `blocks`, `alone_sum` and `together`, in nats.
    """
    return {str(blocks): _figures(of_blocks) for blocks, of_blocks in swaps.groupby("blocks", sort=False)}


def sentence(figures: dict[str, dict[str, Any]]) -> str:
    """What `additivity` gave, in one sentence: the medians over the pairs of blocks, and the figures of all blocks."""
    pairs = [one for blocks, one in figures.items() if blocks.count("+") == 1]
    whole = [one for blocks, one in figures.items() if blocks.count("+") > 1]
    text = f"Of blocks in pairs, swapped into the teacher, {_told(pairs)}"
    return f"{text}; of all blocks together, {_told(whole)}." if whole else f"{text}."


def _told(figures: list[dict[str, Any]]) -> str:
    correlation, error, ratio = (
        _median([one[name] for one in figures])
        for name in ("spearman", "median_relative_error", "median_ratio")
    )
    if math.isnan(error):
        return "there is nothing to compare: no swap moves the teacher's answers, alone and together"
    rank = f" orders what they do together with Spearman's ρ {correlation:.2f} and"  # noqa: RUF001
    orders = "" if math.isnan(correlation) else rank
    return (
        f"the sum of what each does alone{orders} is off by {error:.0%} in the median; they do {ratio:.2f} times the "
        "sum"
    )


def _figures(swaps: pd.DataFrame) -> dict[str, Any]:
    together, alone = swaps["together"].to_numpy(np.float64), swaps["alone_sum"].to_numpy(np.float64)
    finite = np.isfinite(together) & np.isfinite(alone)
    together, alone = together[finite], alone[finite]
    varies = len(together) >= _FEWEST and np.ptp(together) > 0 and np.ptp(alone) > 0
    # Where the teacher's own blocks stand, both are 0.
    moved = (together > 0) & (alone > 0)
    errors, ratios = np.abs(together - alone)[moved] / together[moved], together[moved] / alone[moved]
    return {
        "num_swaps": len(together),
        "pearson": float(stats.pearsonr(alone, together).statistic) if varies else None,
        "spearman": float(stats.spearmanr(alone, together).statistic) if varies else None,
        "kendall_tau": float(stats.kendalltau(alone, together).statistic) if varies else None,
        "median_relative_error": float(np.median(errors)) if len(errors) else None,
        "median_ratio": float(np.median(ratios)) if len(ratios) else None,
    }


def _median(values: list[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else math.nan
