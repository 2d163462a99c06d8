import numpy as np
import pandas as pd

from nasray.analysis.counting.presolve import pose
from nasray.analysis.exact.chain import link


def test_the_parts_have_the_sums_of_the_chain(instances):
    for instance in instances:
        if not instance.budgets:
            continue
        chain = link(instance.tables, dict.fromkeys(instance.budgets, 1e9))
        problem = pose(chain)
        assert len(problem.parts) <= 2
        widths, sums = np.zeros(1, int), np.zeros((len(chain.limits), 1))
        for part in problem.parts:
            before, after = np.nonzero(widths[:, np.newaxis] == part.entries)
            widths, sums = part.exits[after], sums[:, before] + part.costs[:, after]
        expected = [list(map(float, costs.values()))[: len(sums)] for _, _, costs in instance.everything]
        units = np.array([2.0**cost.exponent for cost in chain.costs])
        taken_off = np.array([float(cost.least) for cost in chain.costs])
        assert np.allclose(
            sorted((sums.T * units + taken_off).round(6).tolist()), sorted(np.round(expected, 6).tolist())
        )


def test_rows_beyond_a_limit_are_left_out():
    tables = [pd.DataFrame({"candidate": list("abc"), "rating": 0.0, "cost": [1, 4, 2]})] * 3
    problem = pose(link(tables, {"cost": 5.5}))
    assert problem.limits.tolist() == [2.0]
    assert [sorted(part.costs[0].tolist()) for part in problem.parts] == [[0.0, 1.0, 1.0, 2.0], [0.0, 1.0]]
