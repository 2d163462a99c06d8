from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from nasray.analysis.counting import grid_count
from nasray.analysis.counting import presolve as parts
from nasray.analysis.counting.exact_count import count_all, count_exactly
from nasray.analysis.counting.grid_count import bound_count
from nasray.analysis.exact.chain import link


@pytest.mark.parametrize(("pilot_cells", "most_numbers"), [(8, 10), (64, 1000), (1000, 10**5)])
@pytest.mark.parametrize("most_merged", [1, 30, 2**20])
def test_the_count_lies_between_the_bounds(instances, monkeypatch, pilot_cells, most_numbers, most_merged):
    monkeypatch.setattr(grid_count, "_PILOT_CELLS", pilot_cells)
    monkeypatch.setattr(grid_count, "_MOST_NUMBERS", most_numbers)
    monkeypatch.setattr(parts, "_MOST_MERGED", most_merged)
    for instance in instances:
        if instance.budgets:
            lower, upper = bound_count(link(instance.tables, instance.budgets))
            assert lower <= len(instance.feasible) <= upper


def test_whole_costs_that_fit_on_the_grid_are_counted_exactly(instances):
    for instance in instances:
        budgets = {name: limit for name, limit in instance.budgets.items() if name != "latency_ms"}
        if budgets:
            chain = link(instance.tables, budgets)
            assert bound_count(chain) == (count_exactly(chain),) * 2


def test_one_limit_leaves_little_unsure(large_tables):
    lower, upper = bound_count(link(large_tables, {"num_macs": 3.5e8}))
    assert 0 < upper - lower < 1e-3 * lower


def test_two_limits_leave_some_percent_unsure(large_tables, monkeypatch):
    monkeypatch.setattr(grid_count, "_MOST_NUMBERS", 2**23)
    lower, upper = bound_count(link(large_tables, {"num_macs": 3.5e8, "num_params": 3.5e6}))
    assert 0 < upper - lower < 0.05 * lower


def test_numbers_beyond_all_floats_are_bounded():
    table = pd.DataFrame({"candidate": [f"{number}" for number in range(64)], "rating": 0.0})
    chain = link([table.assign(cost=np.linspace(0, 1, 64))] * 200, {"cost": 100})
    lower, upper = bound_count(chain)
    # The costs are symmetric: half of all stay below the middle.
    assert lower < Fraction(count_all(chain), 2) < upper
    assert upper < Fraction(6, 5) * lower


def test_limits_that_cannot_be_kept_leave_nothing():
    table = pd.DataFrame({"candidate": ["a", "b"], "rating": 0.0, "x": [1, 2], "y": [0.5, 0.25]})
    assert bound_count(link([table, table], {"x": 1})) == (0, 0)
    assert bound_count(link([table, table], {"y": 0.4})) == (0, 0)
    assert bound_count(link([table, table], {"x": 2, "y": 0.6})) == (0, 0)
