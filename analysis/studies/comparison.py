"""Figures of each arm of a comparison: what it found, its gain over the first, its agreement with the truth, its cost.

Source: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13, for the intervals. Our
own reading: an arm's tau is the mean over its seeds, whose interval is over networks like those drawn, the same
resamples for all seeds and arms, so that differences between arms are paired.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasray.analysis.numerals import with_error
from nasray.analysis.trust.agreement import FEWEST_NETWORKS, interval
from nasray.analysis.trust.kendall import draw_resamples, kendall_taus, order_signs
from nasray.search_spaces.artefacts.columns import RANDOM, TRIVIAL

SPACE, ARM, COLUMN, NUM_UNRATED = "space", "arm", "column", "num_unrated"
GAIN, CPU_SECONDS, TAU = "gain", "cpu_seconds", "kendall_tau"
_SAMPLE, _NUM_UNSCORED = "sample", "num_unscored"

Values = NDArray[np.float64]


def comparison_summary(
    table: pd.DataFrame, networks: pd.DataFrame | None = None, *, seed: int = 0, num_resamples: int = 2000
) -> pd.DataFrame:
    """A row per space and arm, in the order of `table`; means over seeds, with the standard error of the mean in `_se`.

    - `num_seeds`: 1 where nothing depends on a seed;
    - `accuracy` of what it found, trained for real, 0 to 1; `gain`, how much higher that is than what the first arm
      found with the same seed; `num_params`, `num_macs`, `cpu_seconds` of its search, and whatever else was measured;
    - `num_unrated`, the most candidates that it has not rated with a seed.

    Where networks were drawn, also of the scores that it gives them, missing where it gives none:

    - `kendall_tau` with their accuracies, with `kendall_tau_se` and the ends `kendall_tau_low`, `kendall_tau_high` of
      the interval of 95% of the mean; NaN with fewer than four networks;
    - `above_trivial`, `above_trivial_low`, `above_trivial_high`: that tau less that of the best trivial measure, the
      best one by these networks;
    - `num_unscored`, the most of these networks to which it gives no score, and which count as its worst.

    Args:
        table: See `nasray.comparison.table.comparison_table`.
        networks: A row per network with `space`, `group`, `accuracy`, and in each of the columns that `table` names its
            scores, lower is better. Those of the group `sample` tell the agreement. None, or empty: there are none.
        seed: Decides the resamples.
        num_resamples: How many.
    """
    frames = [
        _of_space(own, None if networks is None else _of_its_space(networks, space), seed, num_resamples)
        for space, own in table.groupby(SPACE, sort=False)
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def measurements(summary: pd.DataFrame, first: Sequence[str]) -> list[str]:
    """The names of what some arm of a summary has a mean of, `first` those that stand first; without τ."""
    others = (str(name).removesuffix("_se") for name in summary if str(name).endswith("_se"))
    names = dict.fromkeys([*first, *others])
    return [name for name in names if name in summary and name != TAU and summary[name].notna().any()]


def is_scored(summary: pd.DataFrame) -> bool:
    """Whether some arm's scores were held to networks that were drawn."""
    return TAU in summary and bool(summary[TAU].notna().any())


def _of_its_space(networks: pd.DataFrame, space: object) -> pd.DataFrame:
    return networks[networks[SPACE] == space] if len(networks) else networks


def _of_space(
    table: pd.DataFrame, networks: pd.DataFrame | None, seed: int, num_resamples: int
) -> pd.DataFrame:
    """The rows of one space."""
    sample = sampled(networks) if networks is not None and len(networks) else None
    scored = pd.DataFrame() if sample is None else table[table[COLUMN].isin(sample.columns)]
    has_taus = sample is not None and len(sample) >= FEWEST_NETWORKS
    taus = _taus(scored, sample, seed, num_resamples) if sample is not None and has_taus else {}
    trivial = [taus[name].mean(axis=0) for name in TRIVIAL if name in taus]
    best = max(trivial, key=lambda values: float(values[0]), default=None)
    measured = [name for name in table.select_dtypes("number").columns if name not in ("seed", NUM_UNRATED)]
    rows = []
    for arm, own in table.groupby(ARM, sort=False):
        row: dict[str, Any] = {SPACE: own[SPACE].iloc[0], ARM: arm, "num_seeds": len(own)}
        for name in measured:
            values = own[name].dropna().to_numpy(np.float64)
            row |= {name: float(values.mean()) if len(values) else np.nan, f"{name}_se": _error(values)}
        row[NUM_UNRATED] = int(own[NUM_UNRATED].max())
        if sample is not None:
            row |= _agreement(taus.get(arm), best)
            known = own[COLUMN][own[COLUMN].isin(sample.columns)]
            row[_NUM_UNSCORED] = (
                int((~np.isfinite(sample[known].astype(float))).sum().max()) if len(known) else 0
            )
        rows.append(row)
    return pd.DataFrame(rows)


def sampled(networks: pd.DataFrame) -> pd.DataFrame:
    """The networks that were drawn to tell the agreement, not found by a search."""
    return networks[networks["group"] == _SAMPLE]


def sentences(summary: pd.DataFrame, networks: pd.DataFrame | None) -> str:
    """What a comparison says of each space, in two sentences; in one more for each arm that left candidates unrated.

    Args:
        summary: See `comparison_summary`.
        networks: The networks that were drawn and trained for real, if there are any.
    """
    texts = []
    several = len(set(summary[SPACE])) > 1
    for space, own in summary.groupby(SPACE, sort=False):
        text = _on_gains(own)
        if networks is not None and len(networks):
            text = f"{text} {_on_agreement(own, networks[networks[SPACE] == space])}".strip()
        if text:
            texts.append(f"{space}: {text}" if several else text)
    return " ".join(texts)


def _on_gains(summary: pd.DataFrame) -> str:
    """What the best arm found, beside the first."""
    searched = summary[~summary[ARM].isin([*TRIVIAL, RANDOM])]
    if searched["accuracy"].isna().all():
        return ""
    best, first = searched.iloc[int(searched["accuracy"].to_numpy(np.float64).argmax())], searched.iloc[0]
    seeds = f"{best['num_seeds']} seeds" if best["num_seeds"] > 1 else "one seed"
    accuracy = with_error(best["accuracy"], best["accuracy_se"], 4)
    text = f"What {best[ARM]} found is the best over {seeds}, right on {accuracy}"
    if best[ARM] == first[ARM] or pd.isna(best[GAIN]):
        return f"{text}."
    gain = with_error(best[GAIN], best[f"{GAIN}_se"], 4)
    return f"{text}; that is {gain} more than what {first[ARM]} found, seed by seed."


def _on_agreement(summary: pd.DataFrame, networks: pd.DataFrame) -> str:
    """How far the scores of the best arm agree with the accuracies of the networks that were drawn."""
    arms = summary[~summary[ARM].isin([*TRIVIAL, RANDOM])]
    text = (
        f"Of {len(networks)} networks trained for real the best is right on {networks['accuracy'].max():.4f}."
    )
    unrated = "".join(_on_the_unrated(row, len(sampled(networks))) for row in arms.to_dict("records"))
    if arms[TAU].isna().all():
        return text + unrated
    best = arms.iloc[int(np.nanargmax(arms[TAU].to_numpy(np.float64)))]
    outcome = (
        "better than"
        if best["above_trivial_low"] > 0
        else "worse than"
        if best["above_trivial_high"] < 0
        else "not to be told apart from"
    )
    return (
        f"{text} {best[ARM]} orders the sampled ones best, with a Kendall's τ of {best[TAU]:.2f} over its "
        f"seeds: {outcome} the best trivial measure, a difference of {best['above_trivial']:.2f} (95% interval "
        f"{best['above_trivial_low']:.2f} to {best['above_trivial_high']:.2f}).{unrated}"
    )


def _on_the_unrated(row: Mapping[Any, Any], num_sampled: int) -> str:
    """What an arm could not find, and which networks it could not score."""
    number, unscored = row[NUM_UNRATED], row[_NUM_UNSCORED]
    if not number and not unscored:
        return ""
    return (
        f" {row[ARM]} has no rating of {f'{number:,}' if number else 'some'} candidates and finds no architecture "
        f"that contains one; {unscored} of the {num_sampled} sampled networks do, and count as its worst."
    )


def _taus(finds: pd.DataFrame, sample: pd.DataFrame, seed: int, num_resamples: int) -> dict[Any, Values]:
    """Per arm its taus by seed, on the networks as they are and then in each resample, [S, 1 + R]."""
    rng = np.random.default_rng(seed)
    drawn = draw_resamples(len(sample), num_resamples, rng)
    weights = np.concatenate([np.ones((1, len(sample)), np.float32), drawn])
    truth = order_signs(sample["accuracy"].to_numpy(np.float64))
    return {
        method: np.stack([kendall_taus(order_signs(_promise(sample[name])), truth, weights) for name in own])
        for method, own in finds.groupby(ARM, sort=False)[COLUMN]
    }


def _promise(scores: pd.Series) -> Values:
    """How much scores promise; those that are missing or infinite less than any other."""
    values = -scores.to_numpy(np.float64)
    known = np.isfinite(values)
    return np.where(known, values, values[known].min(initial=0.0) - 1)


def _agreement(taus: Values | None, best: Values | None) -> dict[str, float]:
    if taus is None:
        names = (TAU, "kendall_tau_low", "kendall_tau_high", "kendall_tau_se")
        return dict.fromkeys((*names, "above_trivial", "above_trivial_low", "above_trivial_high"), np.nan)
    row = {"kendall_tau_se": _error(taus[:, 0])}
    mean = taus.mean(axis=0)
    for name, values in ((TAU, mean), ("above_trivial", mean - (0.0 if best is None else best))):
        ends = interval(values[0], values[1:])
        row |= {name: ends["value"], f"{name}_low": ends["low"], f"{name}_high": ends["high"]}
    return row


def _error(values: Values) -> float:
    """The standard error of the mean; NaN of a single value."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan
