import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from nasray.analysis.exact.exact_sums import ExactSums, compare, rounded_down, rounded_up

HARD = [0.0, -0.0, 1.0, -1.0, 1.0 + 2.0**-52, 0.1, -0.3, 5e-324, -5e-324, 2.0**53, 1e303, -1e303, 2.0**1000]


@pytest.mark.parametrize("num_blocks", [1, 2, 3, 80])
def test_sums_are_those_of_fractions(num_blocks):
    rng = np.random.default_rng(num_blocks)
    blocks = [np.array(HARD)] * num_blocks
    exact = ExactSums.of(blocks)
    values = rng.choice(HARD, (num_blocks, 500))
    expected = [sum(map(Fraction, column)) for column in values.T.tolist()]
    digits = exact.total(values)
    assert exact.fractions(digits) == expected
    assert exact.nearest(digits).tolist() == [float(one) for one in expected]
    assert (digits[1:] >= 0).all()
    signs = compare(digits[:, :-1], digits[:, 1:])
    assert signs.tolist() == [(one > other) - (one < other) for one, other in itertools.pairwise(expected)]


def test_of_a_number_the_largest_sum_that_is_not_above_it_is_written():
    exact = ExactSums.of([np.array([0.75, -3.0])] * 2)
    assert exact.fractions(exact.floor(Fraction(3, 4))[:, np.newaxis]) == [Fraction(3, 4)]
    between = exact.floor(Fraction(3, 4) - Fraction(1, 10**30))[:, np.newaxis]
    below, equal = exact.total(np.array([[0.75 - 2.0**-53, 0.75], [0.0, 0.0]])).T
    assert compare(below[:, np.newaxis], between).tolist() == [-1]
    assert compare(equal[:, np.newaxis], between).tolist() == [1]
    for number, sign in ((Fraction(10) ** 400, -1), (-(Fraction(10) ** 400), 1)):
        assert compare(equal[:, np.newaxis], exact.floor(number)[:, np.newaxis]).tolist() == [sign]


def test_whole_numbers_take_one_digit():
    assert ExactSums.of([np.array([0.0, 400e6])] * 6).num_digits == 1
    assert ExactSums.of([np.zeros(3)] * 6).num_digits == 1


@pytest.mark.parametrize(
    "number", [Fraction(1, 3), Fraction(-1, 3), Fraction(1, 10**400), Fraction(1, 4), Fraction(0)]
)
def test_numbers_are_rounded_to_the_side_that_is_asked_for(number):
    down, up = rounded_down(number), rounded_up(number)
    assert down <= number <= up
    assert up in (down, math.nextafter(down, math.inf))
