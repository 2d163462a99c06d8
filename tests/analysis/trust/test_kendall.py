import numpy as np
import pytest
from scipy import stats

from nasray.analysis.trust.kendall import (
    draw_orders,
    draw_resamples,
    kendall_taus,
    order_signs,
    random_rhos,
    random_taus,
    spearman_rhos,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_correlations_of_resamples_are_those_of_scipy(rng):
    first, second = rng.integers(0, 8, 25).astype(float), rng.standard_normal(25).round(1)
    weights = draw_resamples(25, 40, rng)
    taus = kendall_taus(order_signs(first), order_signs(second), weights)
    rhos = spearman_rhos(order_signs(first), order_signs(second), weights)
    for counts, tau, rho in zip(weights.astype(int), taus, rhos, strict=True):
        drawn = np.repeat(first, counts), np.repeat(second, counts)
        assert tau == pytest.approx(stats.kendalltau(*drawn).statistic, abs=1e-12)
        assert rho == pytest.approx(stats.spearmanr(*drawn).statistic, abs=1e-6)


def test_only_counted_pairs_count(rng):
    first, second = rng.integers(0, 5, 12).astype(float), rng.integers(0, 5, 12).astype(float)
    counted = np.triu(rng.random((12, 12)) < 0.5, 1)
    counted = (counted | counted.T).astype(np.float32)
    pairs = np.argwhere(np.triu(counted))
    signs = [np.sign(values[pairs[:, 0]] - values[pairs[:, 1]]) for values in (first, second)]
    expected = (signs[0] * signs[1]).sum() / np.sqrt(np.abs(signs[0]).sum() * np.abs(signs[1]).sum())
    ones = np.ones((1, 12), np.float32)
    assert kendall_taus(order_signs(first), order_signs(second), ones, counted) == pytest.approx(expected)


def test_the_extremes_are_exact(rng):
    signs, ones = order_signs(rng.standard_normal(300)), np.ones((1, 300), np.float32)
    for sign in (1, -1):
        assert kendall_taus(signs, sign * signs, ones)[0] == sign
        assert spearman_rhos(signs, sign * signs, ones)[0] == sign


def test_what_tells_nothing_apart_agrees_with_nothing():
    tied, signs = order_signs(np.zeros(5)), order_signs(np.arange(5.0))
    ones = np.ones((1, 5), np.float32)
    assert kendall_taus(tied, signs, ones) == kendall_taus(signs, tied, ones) == 0
    assert spearman_rhos(tied, signs, ones) == 0
    assert random_taus(np.array([[0, 1, 2, 3, 4]], np.int32), tied) == 0


def test_random_orders_agree_as_any_order_does(rng):
    values = rng.integers(0, 6, 15).astype(float)
    counted = np.triu(rng.random((15, 15)) < 0.5, 1)
    counted = (counted | counted.T).astype(np.float32)
    orders, second, ones = draw_orders(15, 30, rng), order_signs(values), np.ones((1, 15), np.float32)
    for ranks, tau, of_counted, rho in zip(
        orders,
        random_taus(orders, second),
        random_taus(orders, second, counted),
        random_rhos(orders, second),
        strict=True,
    ):
        first = order_signs(ranks.astype(float))
        assert tau == pytest.approx(kendall_taus(first, second, ones)[0])
        assert of_counted == pytest.approx(kendall_taus(first, second, ones, counted)[0])
        assert rho == pytest.approx(spearman_rhos(first, second, ones)[0])


def test_draws_are_whole_resamples_and_orders(rng):
    weights, orders = draw_resamples(7, 500, rng), draw_orders(7, 500, rng)
    assert (weights.sum(axis=1) == 7).all()
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.15)
    assert (np.sort(orders, axis=1) == np.arange(7)).all()
    assert orders.mean(axis=0) == pytest.approx(3, abs=0.4)
