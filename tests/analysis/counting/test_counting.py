import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from nasray.analysis.counting import counting, exact_count, grid_count
from nasray.analysis.counting.counting import Count, count_better, count_feasible
from nasray.analysis.exact.ranking import top_architectures


def scores_around(instance):
    for score, _, _ in instance.everything[:: len(instance.everything) // 2 + 1]:
        yield from (
            score,
            score + Fraction(1, 2**80),
            float(score),
            float(np.nextafter(float(score), np.inf)),
        )


def is_better(score, than):
    """A float stands for all sums that are rounded to it."""
    return score < than if isinstance(than, Fraction) else float(score) < than


def test_small_spaces_are_counted_exactly(instances):
    for instance in instances:
        feasible = instance.feasible
        assert count_feasible(instance.tables, instance.budgets) == Count(len(feasible), len(feasible))
        for score in scores_around(instance):
            count = count_better(instance.tables, score, instance.budgets)
            assert count.exact
            assert count.lower == sum(is_better(better, score) for better, _, _ in feasible)


def test_what_is_too_much_to_count_is_bounded(instances, monkeypatch):
    monkeypatch.setattr(exact_count, "_MOST_SUMS", 0)
    monkeypatch.setattr(counting, "_MOST_ENUMERATED", -1)
    monkeypatch.setattr(grid_count, "_MOST_NUMBERS", 2**12)
    num_exact = 0
    for instance in instances[::2]:
        for score in scores_around(instance):
            count = count_better(instance.tables, score, instance.budgets)
            num_better = sum(is_better(better, score) for better, _, _ in instance.feasible)
            assert count.lower <= num_better <= count.upper
            num_exact += count.exact
    assert num_exact < 600


def test_without_budgets_the_number_is_exact_whatever_its_size(large_tables):
    assert count_feasible(large_tables * 20) == Count(10**360, 10**360)


@pytest.mark.parametrize("budgets", [{}, {"num_params": 3_000_000, "num_macs": 3e8}])
def test_the_best_of_a_large_space_are_counted_exactly(large_tables, budgets):
    frame = top_architectures(large_tables, budgets, 1000)
    for rank in (1, 2, 1000):
        count = count_better(large_tables, frame["score"][rank - 1], budgets)
        assert count == Count(rank - 1, rank - 1)


def test_the_middle_of_a_large_space_is_bounded(large_tables):
    middle = sum(table["rating"].median() for table in large_tables)
    count = count_better(large_tables, middle)
    assert not count.exact
    assert 0.4e18 < count.lower < count.upper < 0.6e18
    assert count.upper - count.lower < 1e-3 * count.lower


def test_a_loose_budget_changes_nothing(large_tables):
    assert count_feasible(large_tables, {"num_macs": 1e12}) == Count(10**18, 10**18)


def test_impossible_limits_leave_nothing(large_tables):
    assert count_feasible(large_tables, {"num_params": 1}) == Count(0, 0)
    assert count_better(large_tables, -1e300) == Count(0, 0)
    assert count_better(large_tables, np.inf) == Count(10**18, 10**18)
    with pytest.raises(ValueError, match="score must be a number, got NaN"):
        count_better(large_tables, np.nan)


def test_a_count_is_constant():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Count(1, 2).lower = 0
