from fractions import Fraction

import numpy as np
import pytest

from nasray.analysis.exact.column import Column


def sums_of(column):
    """All sums of a value of each of two blocks, as they are and as searches see them."""
    (first, second), (one, other) = column.blocks, column.scaled_blocks()
    return [
        (Fraction(a) + Fraction(b), x + y)
        for a, x in zip(first.tolist(), one.tolist(), strict=True)
        for b, y in zip(second.tolist(), other.tolist(), strict=True)
    ]


@pytest.mark.parametrize("scale", [1.0, 5e-324, 1e-160, 1e300])
def test_what_searches_see_is_near_to_what_is(scale):
    blocks = [np.array([0.0, 1.0, 3.0]) * scale, np.array([-1.0, 2.0]) * scale]
    column = Column.of("rating", blocks, None)
    for exact, seen in sums_of(column):
        assert 0 <= seen <= 4
        assert seen == pytest.approx(column.scaled(exact), rel=1e-15)
        assert float(column.unscaled(column.scaled(exact))) == pytest.approx(float(exact), rel=1e-15)


@pytest.mark.parametrize(
    ("limit", "is_whole", "seen"),
    [
        (Fraction(5), True, 3.0),
        (Fraction(11, 2), True, 3.0),
        (Fraction(10**30), True, 8.0),  # no sum exceeds 10
        (Fraction(2), True, 0.0),
        (Fraction(1), True, -1.0),
    ],
)
def test_limits_of_whole_numbers_are_whole(limit, is_whole, seen):
    column = Column.of("num_params", [np.array([1.0, 4.0]), np.array([6.0, 1.0])], limit)
    assert column.whole == is_whole
    assert column.scaled_limit == seen
    for exact, of_searches in sums_of(column):
        assert (of_searches <= column.scaled_limit) == (exact <= limit) == column.allows(exact)


def test_a_limit_that_only_the_smallest_keep_is_kept_by_them_alone():
    column = Column.of(
        "latency_ms", [np.array([0.1, 0.1 + 2.0**-56, 1e300]), np.array([-0.0, 5e-324])], Fraction(0.1)
    )
    assert [seen <= column.scaled_limit for _, seen in sums_of(column)] == [True] + [False] * 5


def test_values_far_beyond_the_limit_are_seen_as_beyond_it():
    column = Column.of("latency_ms", [np.array([0.5, 1e300]), np.array([0.25, -0.25])], Fraction(3, 4))
    assert [seen <= column.scaled_limit for _, seen in sums_of(column)] == [True, True, False, False]
    assert np.isfinite(np.concatenate(column.scaled_blocks())).all()


def test_sums_beyond_float64_are_refused():
    with pytest.raises(ValueError, match=r"sums of rating must stay below 2\^1023"):
        Column.of("rating", [np.array([-1.7e308]), np.array([1.0])], None)
