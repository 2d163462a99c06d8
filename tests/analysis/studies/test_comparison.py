import numpy as np
import pandas as pd
import pytest

from nasray.analysis.studies.family import family_summary, sentence


@pytest.fixture
def networks():
    """Twelve sampled networks and one that was found, of which only the first tell of an agreement."""
    accuracies = np.linspace(0.5, 0.9, 12)
    frame = pd.DataFrame({"group": ["sample"] * 12, "accuracy": accuracies})
    rng = np.random.default_rng(0)
    frame["good_seed_0"], frame["good_seed_1"] = -accuracies, -accuracies
    frame["bad_seed_0"], frame["bad_seed_1"] = accuracies, -accuracies
    frame["parameters"] = -(accuracies + 0.15 * rng.standard_normal(12))
    frame["depth then MACs"] = 0.0
    found = {"group": "found", "accuracy": 0.95} | dict.fromkeys(frame.columns[2:], 9.0)
    return pd.concat([frame, pd.DataFrame([found])], ignore_index=True)


@pytest.fixture
def finds():
    columns = ["good_seed_0", "good_seed_1", "bad_seed_0", "bad_seed_1", "parameters", "depth then MACs"]
    return pd.DataFrame(
        {
            "method": ["good", "good", "bad", "bad", "parameters", "depth then MACs"],
            "column": columns,
            "accuracy": [0.8, 0.9, 0.7, 0.7, 0.6, 0.5],
            "num_params": [10, 20, 30, 30, 40, 50],
            "num_macs": [100, 200, 300, 300, 400, 500],
            "cpu_seconds": [3.0, 5.0, 1.0, 1.0, 0.0, 0.0],
        }
    )


def test_a_row_per_method_with_means_over_its_seeds(finds, networks):
    summary = family_summary(finds, networks).set_index("method")
    assert summary.index.tolist() == ["good", "bad", "parameters", "depth then MACs"]
    good, bad = summary.loc["good"], summary.loc["bad"]
    assert (good["kendall_tau"], good["kendall_tau_se"]) == (1, 0)
    assert (bad["kendall_tau"], bad["kendall_tau_se"]) == (0, 1)
    assert (good["accuracy"], good["num_macs"], good["cpu_seconds"]) == (pytest.approx(0.85), 150, 4)
    assert good["accuracy_se"] == pytest.approx(0.05)


def test_one_value_has_no_standard_error(finds, networks):
    row = family_summary(finds, networks).set_index("method").loc["parameters"]
    assert row["num_seeds"] == 1
    assert np.isnan(row["kendall_tau_se"])
    assert np.isnan(row["accuracy_se"])


def test_gains_are_paired_with_the_best_trivial_measure(finds, networks):
    summary = family_summary(finds, networks).set_index("method")
    best = summary.loc["parameters", "kendall_tau"]
    assert 0 < best < 1
    assert summary.loc["good", "gain"] == pytest.approx(1 - best)
    assert summary.loc["good", "gain_low"] > 0
    assert summary.loc["parameters", ["gain", "gain_low", "gain_high"]].tolist() == [0, 0, 0]
    assert summary.loc["depth then MACs", "kendall_tau"] == 0


def test_what_has_no_score_is_the_last(finds, networks):
    for missing in (np.nan, np.inf):
        partly = networks.copy()
        partly.loc[0, "good_seed_0"] = missing
        assert family_summary(finds, partly)["kendall_tau"][0] == 1  # the worst network, indeed


def test_too_few_networks_tell_no_agreement(finds, networks):
    summary = family_summary(finds, networks.iloc[[0, 1, 2, -1]])
    assert summary["kendall_tau"].isna().all()
    assert summary["accuracy"].notna().all()
    assert sentence(summary, networks) == "Of 13 networks trained for real the best is right on 0.9500."


def test_the_sentence_names_the_best_and_whether_it_beats_trivial_measures(finds, networks):
    told = sentence(family_summary(finds, networks), networks)
    assert "good orders the sampled ones best, with a Kendall's τ of 1.00 over its seeds: better than" in told


def test_what_a_method_could_not_rate_is_told(finds, networks):
    partly = networks.copy()
    partly.loc[[0, 12], "good_seed_1"] = np.nan  # the last one is no sampled network
    summary = family_summary(finds.assign(num_unrated=[0, 5, 0, 0, 0, 0]), partly)
    assert summary.set_index("method").loc["good", ["num_unrated", "num_unscored"]].tolist() == [5, 1]
    assert sentence(summary, partly).endswith(
        " good has no rating of 5 candidates and finds no architecture that contains one; 1 of the 12 sampled networks "
        "do, and count as its worst."
    )
    assert "no rating" not in sentence(family_summary(finds, networks), networks)
