"""Figures of each method in a family study: agreement with the truth, quality of its pick, cost.

Source: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13, for the intervals. Our
own reading: a method's tau is the mean over its seeds, whose interval is over networks like those drawn, the same
resamples for all seeds and methods, so that differences between methods are paired.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasray.analysis.trust.agreement import FEWEST_NETWORKS, interval
from nasray.analysis.trust.kendall import draw_resamples, kendall_taus, order_signs

METHOD, COLUMN, NUM_UNRATED = "method", "column", "num_unrated"
TRIVIAL = ("parameters", "MACs", "depth then MACs")
RANDOM = "random"
_SAMPLE, _NUM_UNSCORED = "sample", "num_unscored"

Values = NDArray[np.float64]


def family_summary(
    finds: pd.DataFrame, networks: pd.DataFrame, *, seed: int = 0, num_resamples: int = 2000
) -> pd.DataFrame:
    """A row per method, in the order of `finds`; means over its seeds, with the standard error of the mean in `_se`.

    - `num_seeds`: 1 where nothing depends on a seed;
    - `kendall_tau` of its scores with the accuracies of the sampled networks, with `kendall_tau_se` and the ends
      `kendall_tau_low`, `kendall_tau_high` of the interval of 95% of the mean; NaN with fewer than four networks;
    - `gain`, `gain_low`, `gain_high`: that tau less that of the best trivial method, the best one by these networks;
    - `accuracy` of what it found, trained for real, 0 to 1, and its costs `num_params`, `num_macs`;
    - `cpu_seconds` of its search;
    - `num_unrated`, the most candidates that it has not rated with a seed, and `num_unscored`, the most of the sampled
      networks to which it thus gives no score, and which count as its worst.

    Args:
        finds: A row per method and seed with the columns `method`, `column`, `accuracy`, `num_params`, `num_macs`,
            `cpu_seconds`, and `num_unrated`, which studies of earlier versions have not.
        networks: A row per network with `group`, `accuracy`, and in each of the columns named in `finds` its scores,
            lower is better. Those of the group `sample` tell the agreement.
        seed: Decides the resamples.
        num_resamples: How many.
    """
    sample = sampled(networks)
    taus = _taus(finds, sample, seed, num_resamples) if len(sample) >= FEWEST_NETWORKS else {}
    trivial = [taus[name].mean(axis=0) for name in TRIVIAL if name in taus]
    best = max(trivial, key=lambda values: float(values[0]), default=None)
    rows = []
    for method, own in finds.groupby(METHOD, sort=False):
        row: dict[str, Any] = {METHOD: method, "num_seeds": len(own), **_agreement(taus.get(method), best)}
        for name in ("accuracy", "num_params", "num_macs", "cpu_seconds"):
            values = own[name].to_numpy(np.float64)
            row |= {name: float(values.mean()), f"{name}_se": _error(values)}
        row[NUM_UNRATED] = int(own[NUM_UNRATED].max()) if NUM_UNRATED in own else 0
        row[_NUM_UNSCORED] = int((~np.isfinite(sample[own[COLUMN]].astype(float))).sum().max())
        rows.append(row)
    return pd.DataFrame(rows)


def sampled(networks: pd.DataFrame) -> pd.DataFrame:
    """The networks that were drawn to tell the agreement, not found by a method."""
    return networks[networks["group"] == _SAMPLE]


def sentence(summary: pd.DataFrame, networks: pd.DataFrame) -> str:
    """What the study says, in two sentences; in one more for each method that left candidates without a rating.

    Args:
        summary: See `family_summary`.
        networks: The networks that were trained for real.
    """
    names = [*TRIVIAL, RANDOM]
    methods = summary[~summary[METHOD].isin(names)]
    text = (
        f"Of {len(networks)} networks trained for real the best is right on {networks['accuracy'].max():.4f}."
    )
    unrated = "".join(_on_the_unrated(row, len(sampled(networks))) for row in methods.to_dict("records"))
    if methods["kendall_tau"].isna().all():
        return text + unrated
    best = methods.iloc[int(methods["kendall_tau"].to_numpy(np.float64).argmax())]
    outcome = (
        "better than"
        if best["gain_low"] > 0
        else "worse than"
        if best["gain_high"] < 0
        else "not to be told apart from"
    )
    return (
        f"{text} {best[METHOD]} orders the sampled ones best, with a Kendall's τ of {best['kendall_tau']:.2f} over its "
        f"seeds: {outcome} the best trivial measure, a difference of {best['gain']:.2f} (95% interval "
        f"{best['gain_low']:.2f} to {best['gain_high']:.2f}).{unrated}"
    )


def _on_the_unrated(row: Mapping[Any, Any], num_sampled: int) -> str:
    """What a method could not find, and which networks it could not score."""
    number, unscored = row[NUM_UNRATED], row[_NUM_UNSCORED]
    if not number and not unscored:
        return ""
    return (
        f" {row[METHOD]} has no rating of {f'{number:,}' if number else 'some'} candidates and finds no architecture "
        f"that contains one; {unscored} of the {num_sampled} sampled networks do, and count as its worst."
    )


def _taus(finds: pd.DataFrame, sample: pd.DataFrame, seed: int, num_resamples: int) -> dict[Any, Values]:
    """Per method its taus by seed, on the networks as they are and then in each resample, [S, 1 + R]."""
    rng = np.random.default_rng(seed)
    drawn = draw_resamples(len(sample), num_resamples, rng)
    weights = np.concatenate([np.ones((1, len(sample)), np.float32), drawn])
    truth = order_signs(sample["accuracy"].to_numpy(np.float64))
    return {
        method: np.stack([kendall_taus(order_signs(_promise(sample[name])), truth, weights) for name in own])
        for method, own in finds.groupby(METHOD, sort=False)[COLUMN]
    }


def _promise(scores: pd.Series) -> Values:
    """How much scores promise; those that are missing or infinite less than any other."""
    values = -scores.to_numpy(np.float64)
    known = np.isfinite(values)
    return np.where(known, values, values[known].min(initial=0.0) - 1)


def _agreement(taus: Values | None, best: Values | None) -> dict[str, float]:
    if taus is None:
        names = ("kendall_tau", "kendall_tau_low", "kendall_tau_high", "kendall_tau_se")
        return dict.fromkeys((*names, "gain", "gain_low", "gain_high"), np.nan)
    row = {"kendall_tau_se": _error(taus[:, 0])}
    mean = taus.mean(axis=0)
    for name, values in (("kendall_tau", mean), ("gain", mean - (0.0 if best is None else best))):
        ends = interval(values[0], values[1:])
        row |= {name: ends["value"], f"{name}_low": ends["low"], f"{name}_high": ends["high"]}
    return row


def _error(values: Values) -> float:
    """The standard error of the mean; NaN of a single value."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan
