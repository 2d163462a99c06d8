import itertools
import json

import numpy as np
import pandas as pd
import pytest

from nasray.analysis.counting.counting import Count
from nasray.analysis.counting.coverage import Coverage, cover


def numbers(tables, budgets):
    """How many architectures keep the budgets, by brute force: of rated rows alone, and others."""
    counts = {True: 0, False: 0}
    for rows in itertools.product(*[table.to_dict("records") for table in tables]):
        meet = all(
            before.get("out_channels", 0) == after.get("in_channels", 0)
            for before, after in itertools.pairwise(rows)
        )
        if meet and all(sum(row[name] for row in rows) <= limit for name, limit in budgets.items()):
            counts[not any(np.isnan(row["rating"]) for row in rows)] += 1
    return counts[True], counts[False]


def test_numbers_are_those_of_brute_force(instances):
    left_out = []
    for instance in instances:
        for budgets in (instance.budgets, {}):
            covered, expected = cover(instance.tables, budgets), numbers(instance.tables, budgets)
            assert (covered.ranked, covered.left_out) == tuple(Count(number, number) for number in expected)
            left_out.append(expected[1])
            assert covered.is_whole == (expected[1] == 0)
    assert sum(number > 0 for number in left_out) > 30


def test_rows_without_a_rating_at_some_widths_alone_are_counted_there(instances):
    rng = np.random.default_rng(1)
    wide = [instance for instance in instances if "in_channels" in instance.tables[0]]
    assert len(wide) > 10
    for instance in wide:
        tables = [table.reset_index(drop=True) for table in instance.tables]
        for table in tables:
            table.loc[rng.random(len(table)) < 0.3, "rating"] = np.nan
        try:
            covered = cover(tables, instance.budgets)
        except ValueError:  # nothing is left that could be ranked
            continue
        ranked, left_out = numbers(tables, instance.budgets)
        assert (covered.ranked.lower, covered.left_out.lower) == (ranked, left_out)
        assert covered.ranked.exact
        assert covered.left_out.exact


@pytest.mark.parametrize("budgets", [{}, {"num_params": 2.5e6, "num_macs": 3e8}])
def test_bounds_on_large_numbers_are_certain(large_tables, budgets):
    large_tables = [table[:200] for table in large_tables]
    whole = cover(large_tables, budgets)
    assert whole.is_whole
    tables = [table.copy() for table in large_tables]
    tables[2].loc[:9, "rating"] = np.nan
    covered = cover(tables, budgets)
    assert covered.unrated[0].num_candidates == 10
    # Few are left out, so that the difference of two bounded numbers would tell nothing.
    assert covered.left_out.lower > 0
    assert covered.left_out.upper < 1.1 * covered.left_out.lower
    assert covered.ranked.lower + covered.left_out.lower <= whole.ranked.upper
    assert covered.ranked.upper + covered.left_out.upper >= whole.ranked.lower
    if not budgets:
        assert covered.left_out == Count(10 * 200**5, 10 * 200**5)


def test_candidates_that_no_budget_allows_leave_nothing_out():
    table = pd.DataFrame({"candidate": ["a", "b"], "rating": [0.5, np.nan], "num_params": [1, 9]})
    within = cover([table, table], {"num_params": 5})
    assert (within.ranked, within.left_out) == (Count(1, 1), Count(0, 0))
    assert within.is_whole
    assert [one.block for one in within.unrated] == [0, 1]
    assert cover([table, table], {"num_params": 10}).left_out == Count(2, 2)


def test_plain_data_hold_all_of_it(instances):
    for instance in instances:
        covered = cover(instance.tables, instance.budgets)
        assert Coverage.read(covered.data()) == covered
        assert Coverage.read(json.loads(json.dumps(covered.data()))) == covered
