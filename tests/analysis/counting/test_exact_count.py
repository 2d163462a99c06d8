import numpy as np
import pandas as pd
import pytest

from nasray.analysis.counting import exact_count
from nasray.analysis.counting.exact_count import count_all, count_exactly
from nasray.analysis.exact.chain import link


def test_all_architectures_are_counted(instances):
    for instance in instances:
        assert count_all(link(instance.tables, None)) == len(instance.everything)


@pytest.mark.parametrize("most_sums", [2**21, 40])
def test_the_count_is_that_of_brute_force(instances, monkeypatch, most_sums):
    monkeypatch.setattr(exact_count, "_MOST_SUMS", most_sums)
    monkeypatch.setattr(exact_count, "_PAIRS_AT_ONCE", 7)
    for instance in instances:
        if instance.budgets:
            count = count_exactly(link(instance.tables, instance.budgets))
            assert count == len(instance.feasible) or (count is None and most_sums == 40)


def test_equal_sums_are_counted_however_many_they_are():
    tables = [pd.DataFrame({"candidate": list("abc"), "rating": 0.0, "cost": [0.1, 0.2, 0.2]})] * 200
    # All but the one that takes "a" everywhere cost more than its 200 * 0.1.
    cheapest = float(np.cumsum(np.full(200, 0.1))[-1])
    assert count_exactly(link(tables, {"cost": cheapest})) == 1
    assert count_exactly(link(tables, {"cost": cheapest + 0.05 + 1e-9})) == 1
    assert count_exactly(link(tables, {"cost": cheapest + 0.15})) == 1 + 200 * 2
    assert count_exactly(link(tables, {"cost": 1e3})) == 3**200


def test_too_many_sums_are_not_counted(large_tables):
    assert count_exactly(link(large_tables, {"num_macs": 3e8})) is None
    assert count_exactly(link(large_tables[:4], {"num_macs": 2e8, "num_params": 2e6})) is None
