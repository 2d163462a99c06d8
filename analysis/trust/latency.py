"""Additivity of latencies: how well the sum of a network's parts tells the whole.

Source: ours; Kendall's tau is SciPy's. The correction is one factor for all networks: with it the sum over a network's
blocks remains its latency, so that the exact ranking under a budget of latency stays exact.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from nasray.errors import UserError

Seconds = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Correction:
    """The factor that takes sums of parts to whole networks, and what is left of the error.

    Attributes:
        scale: The factor.
        figures: `num_fitted` and `num_held_out` networks; `before` and `after` the correction, of those held out,
            `median_relative_error` and `p95_relative_error` (|sum - whole| / whole) and `kendall_tau` between the two
            (None where one of them does not vary).
    """

    scale: float
    figures: dict[str, Any]


def fit_correction(sums: Seconds, measured: Seconds) -> Correction:
    """The correction by every second network, held to the others.

    The factor is the median of whole / sum, which a few disturbed measurements do not move.

    Args:
        sums: What the parts of each network take together, [N].
        measured: What each network takes as a whole, [N].

    Raises:
        UserError: If there are fewer than two networks, or a time is not positive.
    """
    if len(sums) < 2 or len(sums) != len(measured):
        raise UserError(
            f"there must be a sum and a measurement of two networks at least, got {len(sums)} and {len(measured)}"
        )
    if not (np.min(sums) > 0 and np.min(measured) > 0):
        raise UserError("times must be positive: the clock is too coarse for these networks, raise the batch")
    scale = float(np.median(measured[::2] / sums[::2]))
    held_sums, held = sums[1::2], measured[1::2]
    figures = {
        "num_fitted": len(sums[::2]),
        "num_held_out": len(held),
        "before": _errors(held_sums, held),
        "after": _errors(scale * held_sums, held),
    }
    return Correction(scale, figures)


def repeatability(first: Seconds, second: Seconds) -> dict[str, float | None]:
    """What two measurements of the same networks say of each other, as `Correction.figures` of sums: the noise."""
    return _errors(first, second)


def _errors(predicted: Seconds, measured: Seconds) -> dict[str, float | None]:
    errors = np.abs(predicted / measured - 1)
    tau = math.nan
    if len(measured) > 1:
        tau = float(stats.kendalltau(predicted, measured).statistic)
    return {
        "median_relative_error": float(np.median(errors)),
        "p95_relative_error": float(np.quantile(errors, 0.95)),
        "kendall_tau": None if math.isnan(tau) else tau,
    }
