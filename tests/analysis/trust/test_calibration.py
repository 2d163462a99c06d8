import itertools
import json

import numpy as np
import pandas as pd
import pytest

from nasray.analysis.trust.agreement import agreement
from nasray.analysis.trust.calibration import block_features, block_weights, calibrate, sentence

NUM_CANDIDATES = 6


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def tables(rng):
    return [
        pd.DataFrame(
            {
                "candidate": [f"1x8:op{number}" for number in range(NUM_CANDIDATES)],
                "rating": rng.uniform(0.2, 0.8, NUM_CANDIDATES),
                "swap_in": rng.uniform(0.2, 0.8, NUM_CANDIDATES),
            }
        )
        for _ in range(3)
    ]


@pytest.fixture
def networks(tables, rng):
    """Networks whose accuracies follow from weights of the blocks, and noise."""

    def build(num, weights, noise=0.002):
        every = list(itertools.product(range(NUM_CANDIDATES), repeat=3))
        chosen = [every[place] for place in rng.choice(len(every), num, replace=False)]
        scores = [
            sum(w * table["rating"][c] for w, table, c in zip(weights, tables, found, strict=True))
            for found in chosen
        ]
        accuracies = 0.9 - 0.1 * np.array(scores) + noise * rng.standard_normal(num)
        names = ["/".join(f"1x8:op{number}" for number in found) for found in chosen]
        return pd.DataFrame({"architecture": names, "accuracy": accuracies})

    return build


def test_weights_that_differ_are_found_and_help(tables, networks):
    found = calibrate(networks(60, [2.4, 0.5, 0.1]), tables).figures
    assert found["weights"]["rating"] == pytest.approx([2.4, 0.5, 0.1], abs=0.25)
    assert np.mean(found["weights"]["rating"]) == pytest.approx(1)
    assert found["helps"]
    assert found["kendall_tau"]["difference"]["low"] > 0
    assert block_weights(found) == found["weights"]
    assert "order those that they have not seen better" in sentence(found)


def test_equal_weights_are_not_said_to_help(tables, networks):
    found = calibrate(networks(60, [1.0, 1.0, 1.0], noise=0.01), tables).figures
    assert not found["helps"]
    assert "cannot be shown" in sentence(found)
    difference = found["kendall_tau"]["difference"]["value"]
    with pytest.raises(
        ValueError, match=f"with 60 networks .* difference of {difference:.3f} .* rank by score"
    ):
        block_weights(found)


def test_noise_is_not_learnt(tables, networks, rng):
    trained = networks(30, [1.0, 1.0, 1.0])
    helped = [
        calibrate(
            trained.assign(accuracy=rng.permutation(trained["accuracy"])), tables, num_repeats=5
        ).figures
        for _ in range(20)
    ]
    assert sum(found["helps"] for found in helped) <= 1


def test_no_network_is_judged_by_weights_that_have_seen_it(tables, networks):
    trained = networks(20, [2.0, 0.5, 0.5])
    before = calibrate(trained, tables, num_repeats=1).scores
    trained.loc[7, "accuracy"] = 0.1
    after = calibrate(trained, tables, num_repeats=1).scores
    assert after[7] == before[7]
    assert (after != before).any()


def test_the_result_is_json_and_decided_by_the_seed(tables, networks):
    trained = networks(15, [2.0, 0.5, 0.5])
    first, again = (calibrate(trained, tables, seed=3) for _ in range(2))
    assert json.loads(json.dumps(first.figures, allow_nan=False)) == first.figures == again.figures
    assert (first.scores == again.scores).all()
    assert calibrate(trained, tables, seed=4).figures != first.figures


def test_both_ratings_may_take_part(tables, networks):
    found = calibrate(networks(40, [1.5, 1.0, 0.5]), tables, columns=["rating", "swap_in"]).figures
    assert set(found["weights"]) == {"rating", "swap_in"}
    assert max(found["weights"]["swap_in"]) < 0.2


def test_the_calibrated_score_is_a_predictor_of_the_agreement(tables, networks):
    trained = networks(40, [2.4, 0.5, 0.1])
    trained["accuracies"] = [[accuracy] for accuracy in trained["accuracy"]]
    trained["score"] = block_features(trained["architecture"], tables, ["rating"]).sum(axis=(1, 2))
    trained["calibrated"] = calibrate(trained, tables).scores
    found = agreement(trained, num_resamples=50)["predictors"]
    assert found["calibrated"]["kendall_tau"]["value"] > found["score"]["kendall_tau"]["value"] > 0


def test_what_cannot_be_calibrated(tables, networks):
    with pytest.raises(ValueError, match=r"at least 12 networks .* got 11"):
        calibrate(networks(11, [1, 1, 1]), tables)
    trained = networks(12, [1, 1, 1])
    candidate = trained["architecture"][0].split("/")[1]
    tables[1].loc[tables[1]["candidate"] == candidate, "rating"] = np.nan
    with pytest.raises(ValueError, match=r"must have rating, got .*leave it out"):
        calibrate(trained, tables)
