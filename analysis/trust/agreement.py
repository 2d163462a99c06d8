"""Agreement of a ranking, and of trivial scores beside it, with the accuracies of trained networks.

Source: C. White et al., "How powerful are performance predictors in neural architecture search?" (arXiv 2104.01177)
for the measures; B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13, for the
percentile intervals. Our own reading: the pairs of alike cost, the regret of ties, and the verdict.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasray.analysis.trust.kendall import (
    Pairs,
    Weights,
    draw_orders,
    draw_resamples,
    kendall_taus,
    order_signs,
    random_rhos,
    random_taus,
    spearman_rhos,
)
from nasray.analysis.trust.noise_ceiling import attainable_taus, seed_taus
from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import DEPTH, SCORE
from nasray.search_spaces.artefacts.costs import counted_costs
from nasray.search_spaces.artefacts.criteria import CRITERIA

RANDOM, COMBINED = "random", "combined"
ZERO_COST = ("naswot", "synflow")
FEWEST_NETWORKS = 4
_FEWEST_IN_DECILE = 5
_FEWEST_PAIRS = 10
_ALIKE_MACS = 0.1
_REGRETS = (1, 5, 10)

Values = NDArray[np.float64]
Interval = dict[str, float]


def _scores() -> list[str]:
    """The predictors of which a lower value promises a higher accuracy."""
    return [criterion.score for criterion in CRITERIA.values()]


def _trivial() -> tuple[str, ...]:
    """The predictors that know nothing but how large a network is."""
    return (*(cost.name for cost in counted_costs()), DEPTH)


@dataclass(frozen=True, slots=True)
class _Draws:
    """What chance decides; as many networks have the same resamples each time.

    Attributes:
        num_resamples: How many resamples, and how many random orders.
        seed: Decides both.
    """

    num_resamples: int
    seed: int

    def weights(self, num_networks: int) -> Weights:
        """The networks as they are, then the resamples, [1 + num_resamples, num_networks]."""
        rng = np.random.default_rng(self.seed)
        return np.concatenate(
            [
                np.ones((1, num_networks), np.float32),
                draw_resamples(num_networks, self.num_resamples, rng),
            ]
        )

    def orders(self, num_networks: int) -> NDArray[np.int32]:
        """Random orders of the networks, [num_resamples, num_networks]."""
        return draw_orders(num_networks, self.num_resamples, np.random.default_rng(self.seed))


def agreement(
    networks: pd.DataFrame, *, by: str = SCORE, seed: int = 0, num_resamples: int = 2000
) -> dict[str, Any]:
    """Rank correlations and regrets of all predictors, and whether the score beats the trivial ones.

    Predictors are turned so that a higher correlation is better. Each is held to the networks that it is known of, and
    left out if these are fewer than four. Correlations are Kendall's tau-b and Spearman's, 0 where nothing is told
    apart. Their intervals are of 95%, over networks like these: whole networks are drawn again, with replacement.
    The random order's value is 0, what is to be expected of it; its interval holds 95% of random orders.

    `combined` is the mean of the ranks, among these networks, that their score and their stitched accuracy give them.
    `calibrated` must come from weights that have not seen the network, see `nasray.analysis.trust.calibration`.

    - `kendall_tau_top_decile`: among the networks whose accuracy reaches the 90th percentile; None if fewer than 5.
    - `kendall_tau_matched_macs`, `kendall_tau_matched_depth`: over the pairs of networks that are alike, so that none
      wins by its size: with MACs within 10% of each other, with equal depth. Pairs and not bins, at whose edges
      networks that are nearly equal would be kept apart. None if fewer than 10 such pairs differ in accuracy. Within
      equal depth, depth tells nothing apart: 0.
    - `regret`: how much lower than the best accuracy of all the best of the k first is (0 if there are no more than k);
      of tied networks those taken are random, and the regret is what is then to be expected.
    - `noise_ceiling`: how far the order by one training agrees with that by another, over all pairs of seeds. No upper
      limit: a predictor has no noise of training, and accuracies are means over seeds, so that a good one may lie above
      it. `attainable_kendall_tau` estimates that of the networks' true qualities, see `noise_ceiling`.
    - `verdict`: the tau of the score that is ranked by (`predictor`) minus that of the trivial predictor whose tau is
      highest, over the networks with that score; "undecided" if its interval holds 0. That the best is picked after the
      fact makes it harder to beat. `best_proxy` is the zero-cost proxy whose tau is highest, None if none is known.

    Args:
        networks: A row per network with the columns `score` and `accuracy`, `accuracies` (one per training seed), and
            of the other predictors those that are known: `swap_in_score`, `calibrated`, `stitched_accuracy`, counted
            costs such as `num_params`, `depth`, and the zero-cost proxies `naswot` and `synflow`.
        by: Which score is held to the trivial predictors, that by which architectures are ranked: "score" or
            "swap_in_score".
        seed: Decides resamples and random orders.
        num_resamples: How many.

    Returns:
        What JSON holds: `num_networks`, `num_seeds` (the least of a network), `predictors` (measures by name),
        `noise_ceiling` (None with one seed), `verdict`. Intervals have a `value`, a `low` and a `high` end.

    Raises:
        UserError: If fewer than four networks have a score, an accuracy is missing, or there are no resamples.
    """
    rated = networks[_is_known(networks, by)]
    _check(networks, len(rated), num_resamples)
    networks = _with_combined(networks)
    draws = _Draws(num_resamples, seed)
    num_seeds = int(networks["accuracies"].map(len).min())
    predictors = {}
    own = [*_scores(), "stitched_accuracy", COMBINED]
    for name in (*own, *_trivial(), *ZERO_COST):
        known = networks[_is_known(networks, name)]
        if len(known) >= FEWEST_NETWORKS:
            predictors[name] = _figures(known, _oriented(known, name), draws)
    predictors[RANDOM] = _figures(networks, None, draws)
    return {
        "num_networks": len(networks),
        "num_seeds": num_seeds,
        "predictors": predictors,
        "noise_ceiling": _noise_ceiling(networks, num_seeds, draws) if num_seeds > 1 else None,
        "verdict": _verdict(rated, by, draws),
    }


def _check(networks: pd.DataFrame, num_rated: int, num_resamples: int) -> None:
    if num_rated < FEWEST_NETWORKS:
        raise UserError(
            f"at least {FEWEST_NETWORKS} networks must be rated and trained to tell how far the ratings agree, got"
            f" {num_rated}; train more, for instance of a larger retrain.sample"
        )
    unknown = int((~_is_known(networks, "accuracy")).sum())
    if unknown:
        raise UserError(
            f"each network must have an accuracy, {unknown} of {len(networks)} have none; leave them out"
        )
    if num_resamples < 1:
        raise UserError(f"num_resamples must be at least 1, got {num_resamples}")


def _with_combined(networks: pd.DataFrame) -> pd.DataFrame:
    """The networks with the mean rank by score and by stitched accuracy, higher is better, where both are known."""
    if "stitched_accuracy" not in networks:
        return networks
    known = networks[networks[SCORE].notna() & networks["stitched_accuracy"].notna()]
    ranks = (known["stitched_accuracy"].rank() + known[SCORE].rank(ascending=False)) / 2
    return networks.assign(**{COMBINED: ranks})


def _is_known(networks: pd.DataFrame, name: str) -> NDArray[np.bool_]:
    return networks[name].notna().to_numpy() if name in networks else np.zeros(len(networks), np.bool_)


def _oriented(networks: pd.DataFrame, name: str) -> Values:
    """The predictor's values, higher is better."""
    values = networks[name].to_numpy(np.float64)
    return -values if name in _scores() else values


def _figures(networks: pd.DataFrame, values: Values | None, draws: _Draws) -> dict[str, Any]:
    """All measures of a predictor, None for a random order."""
    accuracies = networks["accuracy"].to_numpy(np.float64)
    truth = order_signs(accuracies)
    figures: dict[str, Any] = {
        "kendall_tau": _kendall(truth, values, draws),
        "spearman": _spearman(truth, values, draws),
    }
    top = accuracies >= np.quantile(accuracies, 0.9)
    figures["kendall_tau_top_decile"] = None
    if top.sum() >= _FEWEST_IN_DECILE:
        of_top = None if values is None else values[top]
        figures["kendall_tau_top_decile"] = _kendall(order_signs(accuracies[top]), of_top, draws)
    for measure, cost, tolerance in (
        ("matched_macs", "num_macs", _ALIKE_MACS),
        ("matched_depth", "depth", 0.0),
    ):
        alike = _alike_in(networks, cost, tolerance)
        tells = _tells(truth, alike)
        figures[f"kendall_tau_{measure}"] = _kendall(truth, values, draws, alike) if tells else None
    tied = np.zeros_like(accuracies)
    figures["regret"] = {str(k): _regret(tied if values is None else values, accuracies, k) for k in _REGRETS}
    return figures


def _kendall(truth: Pairs, values: Values | None, draws: _Draws, counted: Pairs | None = None) -> Interval:
    if values is None:
        return interval(0.0, random_taus(draws.orders(len(truth)), truth, counted))
    taus = kendall_taus(order_signs(values), truth, draws.weights(len(truth)), counted)
    return interval(taus[0], taus[1:])


def _spearman(truth: Pairs, values: Values | None, draws: _Draws) -> Interval:
    if values is None:
        return interval(0.0, random_rhos(draws.orders(len(truth)), truth))
    rhos = spearman_rhos(order_signs(values), truth, draws.weights(len(truth)))
    return interval(rhos[0], rhos[1:])


def interval(value: float, resampled: Values) -> Interval:
    """A value with the ends of its interval of 95% by what resamples gave, [R]."""
    low, high = np.quantile(resampled, [0.025, 0.975])
    return {"value": float(value), "low": float(low), "high": float(high)}


def _alike_in(networks: pd.DataFrame, cost: str, tolerance: float) -> Pairs:
    """The pairs with alike costs; those of an unknown cost are not."""
    if cost not in networks:
        return np.zeros((len(networks), len(networks)), np.float32)
    return _alike(networks[cost].to_numpy(np.float64, na_value=np.nan), tolerance)


def _alike(costs: Values, tolerance: float) -> Pairs:
    """1 for the pairs whose larger cost exceeds the smaller by no more than the share `tolerance`, else 0."""
    smaller, larger = np.minimum.outer(costs, costs), np.maximum.outer(costs, costs)
    return (larger <= (1 + tolerance) * smaller).astype(np.float32)


def _tells(truth: Pairs, counted: Pairs) -> bool:
    """Whether enough of the pairs differ in accuracy."""
    return int(np.count_nonzero(truth * counted)) >= 2 * _FEWEST_PAIRS


def _regret(values: Values, accuracies: Values, k: int) -> float:
    """By how much the best of the `k` networks of the highest values is expected to fall short of the best of all."""
    k = min(k, len(values))
    last = np.sort(values)[-k]
    losses = accuracies.max() - accuracies
    surely = losses[values > last].min(initial=np.inf)
    tied = np.sort(losses[values == last])
    num_taken = k - int((values > last).sum())
    # The smallest loss of those taken is the i-th if it is taken and all others are after it.
    chances = [
        math.comb(len(tied) - 1 - place, num_taken - 1) / math.comb(len(tied), num_taken)
        for place in range(len(tied))
    ]
    return float(np.minimum(tied, surely) @ chances)


def _noise_ceiling(networks: pd.DataFrame, num_seeds: int, draws: _Draws) -> dict[str, Interval]:
    accuracies = np.array([list(values)[:num_seeds] for values in networks["accuracies"]], np.float64)
    taus = seed_taus(accuracies, draws.weights(len(networks)))
    attainable = attainable_taus(taus, num_seeds)
    return {
        "kendall_tau": interval(taus[0], taus[1:]),
        "attainable_kendall_tau": interval(attainable[0], attainable[1:]),
    }


def _verdict(rated: pd.DataFrame, by: str, draws: _Draws) -> dict[str, Any]:
    """Whether the score is better than the best of the trivial predictors that are known of all rated networks."""
    truth, weights = order_signs(rated["accuracy"].to_numpy(np.float64)), draws.weights(len(rated))

    def taus(name: str) -> Values:
        return kendall_taus(order_signs(_oriented(rated, name)), truth, weights)

    def known(names: tuple[str, ...]) -> dict[str, Values]:
        return {name: taus(name) for name in names if _is_known(rated, name).all()}

    baselines, proxies = known(_trivial()) | {RANDOM: np.zeros(len(weights))}, known(ZERO_COST)
    best = max(baselines, key=lambda name: baselines[name][0])
    differences = taus(by) - baselines[best]
    difference = interval(differences[0], differences[1:])
    outcome = "better" if difference["low"] > 0 else "worse" if difference["high"] < 0 else "undecided"
    proxy = max(proxies, key=lambda name: proxies[name][0], default=None)
    return {
        "predictor": by,
        "best_baseline": best,
        "difference": difference,
        "outcome": outcome,
        "best_proxy": None if proxy is None else {"name": proxy, "kendall_tau": float(proxies[proxy][0])},
    }
