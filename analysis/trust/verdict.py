"""The verdict on a score, in words: better than the best trivial baseline, worse, or undecided."""

import math
from typing import Any

from nasray.analysis.trust.agreement import RANDOM
from nasray.search_spaces.artefacts.columns import DEPTH, SCORE
from nasray.search_spaces.artefacts.costs import cost_kind
from nasray.search_spaces.artefacts.criteria import CRITERIA

_BASELINES = {DEPTH: "depth", RANDOM: "a random order"}
_MOST_NETWORKS = 10_000  # of which a number is told: no one trains more to decide this


def sentence(figures: dict[str, Any]) -> str:
    """What `nasray.analysis.trust.agreement.agreement` gave: a sentence of the verdict, and what else matters to it.

    Where it is undecided, that is how far two trainings agree, and an estimate of how many networks would decide it. A
    zero-cost proxy is named where its tau is above both.
    """
    verdict, difference = figures["verdict"], figures["verdict"]["difference"]
    predictor = verdict.get("predictor", SCORE)  # runs from before there was a choice do not say
    name = next(one.noun for one in CRITERIA.values() if one.score == predictor)
    tau, number = figures["predictors"][predictor]["kendall_tau"]["value"], figures["num_networks"]
    best = verdict["best_baseline"]
    baseline = _BASELINES.get(best, f"the number of {cost_kind(best).noun}")
    finding = {
        "better": f"The {name} orders {number} networks better than {baseline} does, the best trivial baseline",
        "worse": f"The {name} orders {number} networks worse than {baseline} does, the best trivial baseline",
        "undecided": f"With only {number} networks, the {name} cannot be told apart from {baseline},"
        " the best trivial baseline",
    }[verdict["outcome"]]
    text = (
        f"{finding}: Kendall's τ with their accuracies is {tau:.2f} against {tau - difference['value']:.2f}, a"
        f" difference of {difference['value']:.2f} (95% interval {difference['low']:.2f} to {difference['high']:.2f})."
    )
    if verdict["outcome"] == "undecided":
        text += _what_would_decide(figures)
    proxy = verdict.get("best_proxy")  # nor do runs from before there were proxies
    if proxy is not None and proxy["kendall_tau"] > max(tau, tau - difference["value"]):
        text += f" The zero-cost proxy {proxy['name']} orders them better than both: τ {proxy['kendall_tau']:.2f}."
    return text


def networks_to_decide(num_networks: int, difference: dict[str, float]) -> float:
    """About how many networks would put 0 at the end of a difference's interval, if the difference stays.

    An estimate of our own: the interval shrinks with the square root of the number of networks.

    Args:
        num_networks: Those of the interval.
        difference: The `value`, and the `low` and `high` end of its interval.
    """
    value = difference["value"]
    towards_zero = value - difference["low"] if value > 0 else difference["high"] - value
    return num_networks * (towards_zero / value) ** 2 if value else math.inf


def _what_would_decide(figures: dict[str, Any]) -> str:
    number = networks_to_decide(figures["num_networks"], figures["verdict"]["difference"])
    several = f"about {_rounded_up(number):,}" if number < _MOST_NETWORKS else f"more than {_MOST_NETWORKS:,}"
    estimate = f"if the difference stays, {several} networks would decide it (an estimate)"
    ceiling = figures["noise_ceiling"]
    if ceiling is None:
        return f" {estimate[0].upper()}{estimate[1:]}."
    tau = ceiling["kendall_tau"]["value"]
    return f" Two trainings of these networks agree with each other by τ {tau:.2f}; {estimate}."


def _rounded_up(number: float) -> int:
    """The next larger number of two digits and zeros: at the number itself, 0 still is the end of the interval."""
    step = 10 ** max(0, math.floor(math.log10(number)) - 1)
    return (math.floor(number / step) + 1) * step
