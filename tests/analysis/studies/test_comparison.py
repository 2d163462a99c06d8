import numpy as np
import pandas as pd
import pytest

from nasray.analysis.studies.comparison import comparison_summary, sampled, sentences

MEASURED = ("alpha_eigenvalue", "num_skips", "seconds")


@pytest.fixture
def networks():
    """Twelve sampled networks and one that was found, of which only the first tell of an agreement."""
    accuracies = np.linspace(0.5, 0.9, 12)
    frame = pd.DataFrame({"space": "blocks", "group": ["sample"] * 12, "accuracy": accuracies})
    rng = np.random.default_rng(0)
    frame["good_seed_0"], frame["good_seed_1"] = -accuracies, -accuracies
    frame["bad_seed_0"], frame["bad_seed_1"] = accuracies, -accuracies
    frame["parameters"] = -(accuracies + 0.15 * rng.standard_normal(12))
    frame["depth then MACs"] = 0.0
    found = {"space": "blocks", "group": "found", "accuracy": 0.95} | dict.fromkeys(frame.columns[3:], 9.0)
    return pd.concat([frame, pd.DataFrame([found])], ignore_index=True)


@pytest.fixture
def table():
    """Two arms with two seeds each, and two trivial measures."""
    columns = ["bad_seed_0", "bad_seed_1", "good_seed_0", "good_seed_1", "parameters", "depth then MACs"]
    return pd.DataFrame(
        {
            "space": "blocks",
            "arm": ["bad", "bad", "good", "good", "parameters", "depth then MACs"],
            "seed": pd.array([0, 1, 0, 1, None, None], "Int64"),
            "column": columns,
            "num_params": [30, 30, 10, 20, 40, 50],
            "num_macs": [300, 300, 100, 200, 400, 500],
            "accuracy": [0.7, 0.7, 0.8, 0.9, 0.6, 0.5],
            "gain": [0.0, 0.0, 0.1, 0.2, np.nan, np.nan],
            "cpu_seconds": [1.0, 1.0, 3.0, 5.0, 0.0, 0.0],
            "num_unrated": 0,
        }
    )


def by_arm(table, networks=None):
    return comparison_summary(table, networks).set_index("arm")


def test_a_row_per_arm_with_means_over_its_seeds(table, networks):
    summary = by_arm(table, networks)
    assert summary.index.tolist() == ["bad", "good", "parameters", "depth then MACs"]
    good, bad = summary.loc["good"], summary.loc["bad"]
    assert (good["kendall_tau"], good["kendall_tau_se"]) == (1, 0)
    assert (bad["kendall_tau"], bad["kendall_tau_se"]) == (0, 1)
    assert (good["num_seeds"], good["num_macs"], good["cpu_seconds"]) == (2, 150, 4)
    assert (good["accuracy"], good["accuracy_se"]) == (pytest.approx(0.85), pytest.approx(0.05))
    assert (good["gain"], good["gain_se"]) == (pytest.approx(0.15), pytest.approx(0.05))
    assert (bad["gain"], bad["gain_se"]) == (0, 0)


def test_whatever_was_measured_has_mean_and_standard_error():
    rng = np.random.default_rng(0)
    names = (*MEASURED, "accuracy", "gain", "cpu_seconds")
    rows = [
        {"space": space, "arm": arm, "seed": seed, "column": f"{arm}_{seed}", "num_unrated": 0}
        | dict(zip(names, rng.random(len(names)), strict=True))
        for space in ("z", "a")
        for arm in ("taught", "plain")
        for seed in range(4)
    ]
    table = pd.DataFrame(rows)
    summary = comparison_summary(table)
    assert list(zip(summary["space"], summary["arm"], summary["num_seeds"], strict=True)) == [
        (space, arm, 4) for space in ("z", "a") for arm in ("taught", "plain")
    ]
    own = table[(table["space"] == "a") & (table["arm"] == "taught")]
    for name in names:
        assert summary[name][2] == pytest.approx(own[name].mean())
        assert summary[f"{name}_se"][2] == pytest.approx(own[name].std(ddof=1) / 2)
    assert "kendall_tau" not in summary


def test_one_value_has_no_standard_error(table, networks):
    row = by_arm(table, networks).loc["parameters"]
    assert row["num_seeds"] == 1
    assert row[["kendall_tau_se", "accuracy_se", "cpu_seconds_se"]].isna().all()


def test_scores_are_paired_with_the_best_trivial_measure(table, networks):
    summary = by_arm(table, networks)
    best = summary.loc["parameters", "kendall_tau"]
    assert 0 < best < 1
    assert summary.loc["good", "above_trivial"] == pytest.approx(1 - best)
    assert summary.loc["good", "above_trivial_low"] > 0
    of_best = summary.loc["parameters", ["above_trivial", "above_trivial_low", "above_trivial_high"]]
    assert of_best.tolist() == [0, 0, 0]
    assert summary.loc["depth then MACs", "kendall_tau"] == 0


def test_the_intervals_hold_the_mean_and_come_again_the_same(table, networks):
    first, again = by_arm(table, networks), by_arm(table, networks)
    pd.testing.assert_frame_equal(first, again)
    row = first.loc["parameters"]
    assert row["kendall_tau_low"] < row["kendall_tau"] < row["kendall_tau_high"]


def test_what_has_no_score_is_the_last(table, networks):
    for missing in (np.nan, np.inf):
        partly = networks.copy()
        partly.loc[0, "good_seed_0"] = missing
        assert by_arm(table, partly).loc["good", "kendall_tau"] == 1  # the worst network, indeed


def test_too_few_networks_tell_no_agreement(table, networks):
    summary = comparison_summary(table, networks.iloc[[0, 1, 2, -1]])
    assert summary["kendall_tau"].isna().all()
    assert summary["accuracy"].notna().all()
    told = sentences(summary, networks)
    assert told.endswith(" Of 13 networks trained for real the best is right on 0.9500.")
    assert "orders" not in told


def test_an_arm_that_gives_no_scores_has_no_agreement(table, networks):
    row = by_arm(table, networks.drop(columns=["bad_seed_0", "bad_seed_1"])).loc["bad"]
    assert row[["kendall_tau", "kendall_tau_low", "above_trivial"]].isna().all()
    assert (row["num_unscored"], row["accuracy"]) == (0, pytest.approx(0.7))


def test_each_space_has_its_own_networks(table, networks):
    """What good says of the one space's networks is right, of the other's wrong."""
    other = networks.assign(
        space="others", good_seed_0=networks["accuracy"], good_seed_1=networks["accuracy"]
    )
    both = comparison_summary(
        pd.concat([table, table.assign(space="others")]), pd.concat([networks, other], ignore_index=True)
    ).set_index(["space", "arm"])
    assert both.loc[("blocks", "good"), "kendall_tau"] == 1
    assert both.loc[("others", "good"), "kendall_tau"] == -1
    told = sentences(both.reset_index(), pd.concat([networks, other]))
    assert told.startswith("blocks: What good found is the best")
    assert "others: What good found is the best" in told


def test_the_sentences_name_the_best_and_what_it_gains(table, networks):
    told = sentences(comparison_summary(table, networks), networks)
    assert told.startswith(
        "What good found is the best over 2 seeds, right on 0.8500 ± 0.0500; that is 0.1500 ± 0.0500 more than what "
        "bad found, seed by seed. Of 13 networks trained for real the best is right on 0.9500."
    )
    assert "good orders the sampled ones best, with a Kendall's τ of 1.00 over its seeds: better than" in told


def test_the_sentence_says_when_the_first_arm_is_the_best_or_not_known(table):
    good = table[table["arm"] == "good"]
    first = good.assign(gain=0.0)
    expected = "What good found is the best over 2 seeds, right on 0.8500 ± 0.0500."
    assert sentences(comparison_summary(first), None) == expected
    unpaired = pd.concat([table[table["arm"] == "bad"], good]).assign(gain=np.nan)
    assert sentences(comparison_summary(unpaired), None) == expected
    assert sentences(comparison_summary(table.iloc[[2]]), None) == (
        "What good found is the best over one seed, right on 0.8000."
    )


def test_without_trainings_there_is_nothing_to_say(table):
    summary = comparison_summary(table.assign(accuracy=np.nan, gain=np.nan))
    assert sentences(summary, None) == ""
    assert summary["cpu_seconds"].notna().all()


def test_what_an_arm_could_not_rate_is_told(table, networks):
    partly = networks.copy()
    partly.loc[[0, 12], "good_seed_1"] = np.nan  # the last one is no sampled network
    summary = comparison_summary(table.assign(num_unrated=[0, 0, 0, 5, 0, 0]), partly)
    assert summary.set_index("arm").loc["good", ["num_unrated", "num_unscored"]].tolist() == [5, 1]
    assert sentences(summary, partly).endswith(
        " good has no rating of 5 candidates and finds no architecture that contains one; 1 of the 12 sampled networks "
        "do, and count as its worst."
    )
    assert "no rating" not in sentences(comparison_summary(table, networks), networks)
    assert len(sampled(partly)) == 12


def test_no_search_is_no_row():
    assert comparison_summary(pd.DataFrame(columns=["space", "arm"])).empty
