import numpy as np
import pytest
from scipy.optimize import minimize

from nasray.analysis.trust.block_weights import PENALTIES, choose_penalty, draw_folds, fit_weights, normalised


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def networks(rng, num, weights, noise=0.0):
    """Ratings [num, J, K], and accuracies that follow from them."""
    features = rng.uniform(0.2, 0.8, (num, *np.shape(weights)))
    return features, 0.9 - 0.1 * (features * weights).sum(axis=(1, 2)) + noise * rng.standard_normal(num)


@pytest.mark.parametrize("penalty", [0.0, 3.0, 30.0])
def test_the_fit_is_the_least_of_what_is_documented(rng, penalty):
    features, accuracies = networks(rng, 25, [[1.0, 2.0, 0.5], [0.5, 0.0, 0.2]], noise=0.01)
    variances = features.var(axis=0).mean(axis=1)

    def objective(unknown):
        weights, common = unknown[:6].reshape(2, 3), unknown[6]
        predicted = -((features - features.mean(axis=0)) * weights).sum(axis=(1, 2))
        pulled = (
            variances[0] * np.square(weights[0] - common).sum() + variances[1] * np.square(weights[1]).sum()
        )
        return np.square(accuracies - accuracies.mean() - predicted).sum() + penalty * pulled

    found = fit_weights(features, accuracies, penalty)
    started = np.append(found.ravel(), found[0].mean())
    bounds = [(0, None)] * 7
    best = minimize(
        objective, started, bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-12}
    )
    assert found == pytest.approx(best.x[:6].reshape(2, 3), abs=1e-4)


def test_without_noise_or_penalty_the_weights_are_found(rng):
    truth = np.array([[1.0, 0.3, 1.7]])
    features, accuracies = networks(rng, 30, truth)
    assert normalised(fit_weights(features, accuracies, 0.0)) == pytest.approx(truth)


def test_a_heavy_penalty_gives_equal_weights_and_none_of_the_second_rating(rng):
    features, accuracies = networks(rng, 30, [[1.0, 0.3], [0.4, 2.0]])
    found = normalised(fit_weights(features, accuracies, 1e9))
    assert found == pytest.approx(np.array([[1.0, 1.0], [0.0, 0.0]]), abs=1e-4)


def test_no_weight_is_negative(rng):
    features, accuracies = networks(rng, 60, [[1.0, -0.8, 0.6]])
    found = fit_weights(features, accuracies, 3.0)
    assert found.min() == 0
    assert found[0, 1] == 0


def test_ratings_that_predict_nothing_count_alike(rng):
    features, accuracies = networks(rng, 30, [[-1.0, -1.0]])
    assert normalised(fit_weights(features, accuracies, 3.0)).tolist() == [[1.0, 1.0]]


def test_the_penalty_follows_the_networks(rng):
    features, accuracies = networks(rng, 40, [[1.0, 1.0, 1.0]], noise=0.05)
    assert choose_penalty(features, accuracies, rng) == max(PENALTIES)
    features, accuracies = networks(rng, 40, [[2.5, 0.1, 0.4]], noise=0.001)
    assert choose_penalty(features, accuracies, rng) == min(PENALTIES)


def test_folds_hold_every_network_once(rng):
    folds = draw_folds(23, rng)
    assert sorted(np.concatenate(folds)) == list(range(23))
    assert {len(fold) for fold in folds} == {4, 5}
