import itertools
import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nasray.analysis.trust.agreement import agreement

PREDICTORS = ("score", "swap_in_score", "stitched_accuracy", "num_params", "num_macs", "depth", "random")


def networks_of(quality, score, rng, *, num_seeds=2, noise=0.01, num_macs=None):
    """Networks whose accuracy is 0.8 + quality / 10 and noise."""
    num = len(quality)
    accuracies = 0.8 + quality[:, np.newaxis] / 10 + noise * rng.standard_normal((num, num_seeds))
    return pd.DataFrame(
        {
            "architecture": [f"1x8:op{number}" for number in range(num)],
            "group": "sample",
            "score": score,
            "swap_in_score": -quality + rng.standard_normal(num),
            "num_params": rng.integers(1000, 9000, num),
            "num_macs": rng.integers(1000, 9000, num) if num_macs is None else num_macs,
            "depth": pd.array(rng.integers(2, 6, num), "Int64"),
            "accuracies": list(accuracies),
            "accuracy": accuracies.mean(axis=1),
            "stitched_accuracy": quality + rng.standard_normal(num),
        }
    )


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def networks(rng):
    quality = rng.standard_normal(60)
    return networks_of(quality, -quality + 0.5 * rng.standard_normal(60), rng)


def test_values_are_those_of_scipy_turned_so_that_higher_is_better(networks):
    figures = agreement(networks, num_resamples=200)
    assert tuple(name for name in figures["predictors"] if name != "combined") == PREDICTORS
    assert (figures["num_networks"], figures["num_seeds"]) == (60, 2)
    for name, one in figures["predictors"].items():
        if name in ("random", "combined"):
            continue
        sign = -1 if name in ("score", "swap_in_score") else 1
        values = sign * networks[name].to_numpy(float)
        expected = stats.kendalltau(values, networks["accuracy"]).statistic
        assert one["kendall_tau"]["value"] == pytest.approx(expected, abs=1e-9)
        expected = stats.spearmanr(values, networks["accuracy"]).statistic
        assert one["spearman"]["value"] == pytest.approx(expected, abs=1e-6)
        top = networks["accuracy"].to_numpy() >= np.quantile(networks["accuracy"], 0.9)
        expected = stats.kendalltau(values[top], networks["accuracy"][top]).statistic
        assert one["kendall_tau_top_decile"]["value"] == pytest.approx(expected, abs=1e-9)
        for measure in ("kendall_tau", "spearman", "kendall_tau_top_decile"):
            assert -1 <= one[measure]["low"] <= one[measure]["value"] <= one[measure]["high"] <= 1


def test_the_result_is_json_and_decided_by_the_seed(networks):
    figures = agreement(networks, seed=3, num_resamples=100)
    text = json.dumps(figures, allow_nan=False)
    assert json.loads(text) == figures
    assert json.dumps(agreement(networks, seed=3, num_resamples=100)) == text
    assert json.dumps(agreement(networks, seed=4, num_resamples=100)) != text


def test_matched_pairs_are_of_alike_macs_or_equal_depth(networks):
    figures = agreement(networks, num_resamples=50)["predictors"]["score"]
    for cost, tolerance, measure in (("num_macs", 0.1, "matched_macs"), ("depth", 0.0, "matched_depth")):
        concordant = ordered = 0
        rows = networks.astype({"depth": float}).to_dict("records")
        for one, other in itertools.combinations(rows, 2):
            smaller, larger = sorted([one[cost], other[cost]])
            if larger <= (1 + tolerance) * smaller:
                concordant += np.sign(other["score"] - one["score"]) * np.sign(
                    one["accuracy"] - other["accuracy"]
                )
                ordered += 1
        expected = concordant / ordered
        assert figures[f"kendall_tau_{measure}"]["value"] == pytest.approx(expected)


def test_a_score_that_is_only_size_agrees_with_nothing_at_equal_depth(rng):
    depth = rng.integers(2, 6, 80)
    networks = networks_of(depth + 0.1 * rng.standard_normal(80), -depth + 0.1 * rng.standard_normal(80), rng)
    networks["depth"] = depth
    figures = agreement(networks, num_resamples=300)["predictors"]
    assert figures["score"]["kendall_tau"]["low"] > 0.5
    assert (
        figures["score"]["kendall_tau_matched_depth"]["low"]
        < 0
        < figures["score"]["kendall_tau_matched_depth"]["high"]
    )
    assert figures["depth"]["kendall_tau_matched_depth"] == {"value": 0, "low": 0, "high": 0}


def test_too_few_networks_or_pairs_have_no_figure(networks):
    few = networks.head(12).assign(num_macs=4 ** np.arange(12), depth=np.repeat([1, 2, 3, 4], 3))
    few["depth"] = few["depth"].astype("Int64")
    one = agreement(few, num_resamples=50)["predictors"]["score"]
    assert one["kendall_tau_top_decile"] is None
    assert one["kendall_tau_matched_macs"] is None
    assert one["kendall_tau_matched_depth"]["value"] is not None  # 12 pairs
    tied = few.assign(accuracy=0.5)
    assert agreement(tied, num_resamples=50)["predictors"]["score"]["kendall_tau_matched_depth"] is None


def test_regret_is_what_the_first_lose_to_the_best():
    accuracy = np.array([0.5, 0.9, 0.8, 0.7, 0.6, 0.4])
    networks = pd.DataFrame(
        {
            "score": [1, 6, 2, 3, 4, 5],
            "num_params": [2, 1, 2, 2, 1, 1],
            "accuracy": accuracy,
            "accuracies": [[0.0]] * 6,
        }
    )
    figures = agreement(networks, num_resamples=20)["predictors"]
    assert figures["score"]["regret"] == pytest.approx({"1": 0.4, "5": 0.1, "10": 0.0})
    # The first of three that are tied: 0.5, 0.8 or 0.7. The first five: they, and two of 0.9, 0.6 and 0.4.
    assert figures["num_params"]["regret"] == pytest.approx(
        {"1": (0.4 + 0.1 + 0.2) / 3, "5": 0.1 / 3, "10": 0.0}
    )
    expected = [np.mean([0.9 - max(taken) for taken in itertools.combinations(accuracy, k)]) for k in (1, 5)]
    assert figures["random"]["regret"] == pytest.approx({"1": expected[0], "5": expected[1], "10": 0.0})


def test_the_random_order_holds_what_chance_gives(networks):
    tau = agreement(networks)["predictors"]["random"]["kendall_tau"]
    spread = 1.96 * np.sqrt(2 * (2 * 60 + 5) / (9 * 60 * 59))
    assert tau["value"] == 0
    assert (tau["low"], tau["high"]) == pytest.approx((-spread, spread), abs=0.02)


def test_the_noise_ceiling_is_the_agreement_of_the_seeds(networks, rng):
    three = networks_of(rng.standard_normal(40), np.arange(40.0), rng, num_seeds=3, noise=0.05)
    ceiling = agreement(three, num_resamples=100)["noise_ceiling"]["kendall_tau"]
    accuracies = np.array(three["accuracies"].to_list()).T
    pairs = itertools.combinations(accuracies, 2)
    assert ceiling["value"] == pytest.approx(np.mean([stats.kendalltau(*pair).statistic for pair in pairs]))
    assert ceiling["low"] < ceiling["value"] < ceiling["high"]
    attainable = agreement(three, num_resamples=100)["noise_ceiling"]["attainable_kendall_tau"]
    assert ceiling["value"] < attainable["value"] < attainable["high"] < 1
    single = networks.assign(accuracies=networks["accuracy"].map(lambda value: [value]))
    assert agreement(single, num_resamples=20)["noise_ceiling"] is None


@pytest.mark.parametrize(
    ("score_noise", "macs_noise", "outcome"), [(0.2, 2, "better"), (2, 0.2, "worse"), (1, 1, "undecided")]
)
def test_the_verdict_tells_whether_the_score_beats_the_best_baseline(rng, score_noise, macs_noise, outcome):
    quality = rng.standard_normal(60)
    score = -quality + score_noise * rng.standard_normal(60)
    num_macs = np.exp(quality + macs_noise * rng.standard_normal(60))
    figures = agreement(networks_of(quality, score, rng, num_macs=num_macs), num_resamples=500)
    verdict, predictors = figures["verdict"], figures["predictors"]
    assert (verdict["outcome"], verdict["best_baseline"]) == (outcome, "num_macs")
    taus = [predictors[name]["kendall_tau"]["value"] for name in ("score", "num_macs")]
    assert verdict["difference"]["value"] == pytest.approx(taus[0] - taus[1])
    assert verdict["best_proxy"] is None


def test_a_random_order_is_the_best_baseline_where_all_others_are_worse(networks):
    networks = networks.assign(num_params=-networks["accuracy"]).drop(columns=["num_macs", "depth"])
    figures = agreement(networks, num_resamples=100)
    assert figures["verdict"]["best_baseline"] == "random"
    assert figures["verdict"]["difference"] == figures["predictors"]["score"]["kendall_tau"]


def test_intervals_hold_the_true_value_as_often_as_they_say(rng):
    covered = false_verdicts = 0
    for _ in range(200):
        quality = rng.standard_normal(30)
        noise = rng.standard_normal((2, 30))
        networks = networks_of(
            quality, -(quality + noise[0]), rng, noise=0, num_macs=np.exp(quality + noise[1])
        )
        figures = agreement(
            networks.drop(columns=["swap_in_score", "stitched_accuracy", "depth"]), num_resamples=200
        )
        tau = figures["predictors"]["score"]["kendall_tau"]
        covered += tau["low"] <= 2 / np.pi * np.arcsin(np.sqrt(0.5)) <= tau["high"]
        # Score and MACs are equally good.
        false_verdicts += figures["verdict"]["outcome"] != "undecided"
    assert covered >= 182  # 91%
    assert false_verdicts <= 18


def test_zero_cost_proxies_are_predictors_but_no_trivial_baselines(networks, rng):
    quality = networks["accuracy"].to_numpy()
    known = networks.assign(naswot=rng.standard_normal(60), synflow=quality)
    figures, before = agreement(known, num_resamples=50), agreement(networks, num_resamples=50)
    assert figures["predictors"]["synflow"]["kendall_tau"]["value"] == pytest.approx(1)
    assert "naswot" in figures["predictors"]
    assert figures["verdict"]["best_proxy"] == {"name": "synflow", "kendall_tau": pytest.approx(1)}
    for name in ("best_baseline", "difference", "outcome"):
        assert figures["verdict"][name] == before["verdict"][name]
    partly = known.assign(synflow=known["synflow"].where(known.index > 5))
    assert agreement(partly, num_resamples=50)["verdict"]["best_proxy"]["name"] == "naswot"


def test_networks_without_a_score_count_for_the_others_only(networks):
    networks.loc[:9, "score"] = np.nan
    figures = agreement(networks, num_resamples=100)
    alone = agreement(networks[10:], num_resamples=100)
    assert figures["num_networks"] == 60
    assert figures["predictors"]["score"] == alone["predictors"]["score"]
    assert figures["verdict"] == alone["verdict"]
    assert figures["predictors"]["num_macs"] != alone["predictors"]["num_macs"]


def test_predictors_that_are_not_known_are_left_out(networks):
    networks = networks.drop(columns="swap_in_score").assign(
        stitched_accuracy=np.nan, depth=pd.array([None] * 60, "Int64")
    )
    figures = agreement(networks, num_resamples=50)
    assert tuple(figures["predictors"]) == ("score", "num_params", "num_macs", "random")
    assert figures["predictors"]["score"]["kendall_tau_matched_depth"] is None


def test_what_is_tied_agrees_with_nothing(networks):
    for tied in ({"score": 1.0}, {"accuracy": 0.5}):
        figures = agreement(networks.assign(**tied), num_resamples=50)
        assert figures["predictors"]["score"]["kendall_tau"] == {"value": 0, "low": 0, "high": 0}
        assert figures["verdict"]["outcome"] in ("undecided", "worse")
        json.dumps(figures, allow_nan=False)


def test_four_networks_are_enough(networks):
    json.dumps(agreement(networks.head(4)), allow_nan=False)


def test_what_is_not_enough_is_refused(networks):
    with pytest.raises(ValueError, match=r"at least 4 networks .* got 3; train more"):
        agreement(networks.head(3))
    with pytest.raises(ValueError, match="got 2; train more"):
        agreement(networks.assign(score=[1.0, 2.0] + [np.nan] * 58))
    with pytest.raises(ValueError, match="must have an accuracy, 1 of 60 have none"):
        agreement(networks.assign(accuracy=[np.nan] + [0.5] * 59))
    with pytest.raises(ValueError, match="num_resamples must be at least 1, got 0"):
        agreement(networks, num_resamples=0)


def test_score_and_stitched_accuracy_are_combined_by_their_ranks(rng):
    quality = rng.random(40)
    networks = networks_of(quality, -quality + 0.3 * rng.standard_normal(40), rng, noise=0.001)
    networks["stitched_accuracy"] = quality + 0.3 * rng.standard_normal(40)
    networks.loc[3, "stitched_accuracy"] = np.nan
    found = agreement(networks, num_resamples=50)["predictors"]
    known = networks.drop(index=3)
    ranks = stats.rankdata(known["stitched_accuracy"]) + stats.rankdata(-known["score"])
    expected = stats.kendalltau(ranks, known["accuracy"]).statistic
    assert found["combined"]["kendall_tau"]["value"] == pytest.approx(expected)
    assert found["combined"]["kendall_tau"]["value"] > found["score"]["kendall_tau"]["value"]
    alone = agreement(networks.drop(columns="stitched_accuracy"), num_resamples=50)["predictors"]
    assert "combined" not in alone
