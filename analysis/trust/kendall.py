"""Rank correlations in many resamples at once, from the signs of the differences of all pairs.

Source: M. G. Kendall, "The treatment of ties in ranking problems", Biometrika 33 (1945), for tau-b. Our own reading:
copies of an item in a resample are tied in both orders and so change nothing; only chosen pairs may count; an order
that tells no pair apart has the correlation 0, since it says nothing.
"""

import math

import numpy as np
from numpy.typing import NDArray

# A number per pair of items, [N, N]; float32 for the speed of its products, which are whole and below 2^24: exact.
Pairs = NDArray[np.float32]
# How often each of N items stands in each of R resamples, [R, N].
Weights = NDArray[np.float32]

_MOST_SIGNS = 2**18  # of random orders at a time, which a cache holds


def order_signs(values: NDArray[np.float64]) -> Pairs:
    """For each pair 1 where the first item has the larger value, -1 where the second has, 0 where they are tied."""
    return np.sign(np.subtract.outer(values, values)).astype(np.float32)


def draw_resamples(num_items: int, num_resamples: int, rng: np.random.Generator) -> Weights:
    """Resamples with replacement, as large as what they are drawn from, [num_resamples, num_items]."""
    drawn = rng.integers(num_items, size=(num_resamples, num_items))
    drawn += num_items * np.arange(num_resamples)[:, np.newaxis]
    counts = np.bincount(drawn.ravel(), minlength=num_resamples * num_items)
    return counts.reshape(num_resamples, num_items).astype(np.float32)


def kendall_taus(
    first: Pairs, second: Pairs, weights: Weights, counted: Pairs | None = None
) -> NDArray[np.float64]:
    """Kendall's tau-b between two orders in each resample, from -1 to 1, [R].

    Args:
        first: The one order, see `order_signs`.
        second: The other.
        weights: How often each item stands in each resample, [R, N].
        counted: 1 for the pairs that count, else 0; None: all count.
    """
    if counted is not None:
        first, second = first * counted, second * counted
    num_first, num_second = (_sum_pairs(np.abs(signs), weights) for signs in (first, second))
    return _ratio(_sum_pairs(first * second, weights), np.sqrt(num_first * num_second))


def spearman_rhos(first: Pairs, second: Pairs, weights: Weights) -> NDArray[np.float64]:
    """Spearman's correlation between two orders in each resample, tied items sharing their mean rank, [R].

    Args:
        first: The one order, see `order_signs`.
        second: The other.
        weights: How often each item stands in each resample, [R, N].
    """
    # An item's signs add up to twice the distance of its mean rank from the middle one, up to the sign.
    ranks, others = weights @ first, weights @ second
    squares = _dot(weights, ranks, ranks) * _dot(weights, others, others)
    return _ratio(_dot(weights, ranks, others), np.sqrt(squares))


def draw_orders(num_items: int, num_orders: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """The ranks of the items in random orders without ties, from 0 on, [num_orders, num_items]."""
    return rng.permuted(np.tile(np.arange(num_items, dtype=np.int32), (num_orders, 1)), axis=1)


def random_taus(
    orders: NDArray[np.int32], second: Pairs, counted: Pairs | None = None
) -> NDArray[np.float64]:
    """Kendall's tau-b of each of `orders`, see `draw_orders`, with an order of the same items, [R].

    Args:
        orders: Ranks, [R, N].
        second: The order, see `order_signs`.
        counted: 1 for the pairs that count, else 0; None: all count.
    """
    num_orders, num_items = orders.shape
    if counted is None:
        counted = np.ones_like(second)
    second = second * counted
    num_first = counted.sum(dtype=np.float64) - counted.trace()
    sums = np.empty(num_orders)
    at_once = max(1, _MOST_SIGNS // num_items**2)
    for start in range(0, num_orders, at_once):
        ranks = orders[start : start + at_once]
        above = ranks[:, :, np.newaxis] > ranks[:, np.newaxis, :]
        # What is not above is below, where `second` has the opposite sign.
        sums[start : start + at_once] = 2 * (
            above.reshape(len(ranks), -1).astype(np.float32) @ second.ravel()
        )
    return _ratio(sums, np.sqrt(num_first * np.abs(second).sum(dtype=np.float64)))


def random_rhos(orders: NDArray[np.int32], second: Pairs) -> NDArray[np.float64]:
    """Spearman's correlation of each of `orders`, see `draw_orders`, with an order of the same items, [R]."""
    ranks = orders - orders.mean(axis=1, keepdims=True)
    others = second.sum(axis=1, dtype=np.float64) / 2
    return _ratio(ranks @ others, np.sqrt((ranks**2).sum(axis=1) * (others**2).sum()))


def _sum_pairs(numbers: Pairs, weights: Weights) -> NDArray[np.float64]:
    """The sum of `numbers` over the pairs of each resample, every pair twice, [R]."""
    return _dot(weights, weights @ numbers)


def _dot(weights: Weights, *factors: Weights) -> NDArray[np.float64]:
    """The sum over the items of a product of numbers per resample and item, [R]."""
    return math.prod(factors, start=weights).sum(axis=1, dtype=np.float64)


def _ratio(sums: NDArray[np.float64], scales: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """The sums in units of the largest that they can be, 0 where nothing is told apart."""
    return np.divide(sums, scales, out=np.zeros_like(sums), where=np.greater(scales, 0))
