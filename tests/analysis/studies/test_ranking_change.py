import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from nasray.analysis.exact.ranking import top_architectures
from nasray.analysis.studies.ranking_change import compare_rankings

OPERATIONS = list("abcdef")


def ranked(rng, budgets, like=None, sign=1.0, noise=0.0):
    """A random ranking of three blocks, or one that follows another."""
    tables = []
    for block in range(3):
        frame = pd.DataFrame({"candidate": OPERATIONS, "rating": rng.random(6), "num_params": np.arange(6)})
        if like is not None:
            frame["rating"] = sign * like[1][block]["rating"] + noise * rng.random(6)
        tables.append(frame)
    return top_architectures(tables, budgets, 20), tables


def all_scores(tables):
    return np.array(
        [sum(rows) for rows in itertools.product(*(table["rating"].tolist() for table in tables))]
    )


def test_a_ranking_agrees_with_itself_and_not_with_its_opposite():
    rng = np.random.default_rng(0)
    first = ranked(rng, {})
    same = compare_rankings(first, first, {}, seed=0)
    assert (same.kendall_tau, same.num_compared, same.num_shared) == (pytest.approx(1), 2000, 10)
    opposite = compare_rankings(first, ranked(rng, {}, first, sign=-1), {}, seed=0)
    assert opposite.kendall_tau == pytest.approx(-1)
    assert opposite.num_shared == 0


def test_tau_is_near_that_over_all_architectures():
    rng = np.random.default_rng(1)
    first = ranked(rng, {})
    second = ranked(rng, {}, first, noise=0.5)
    expected = kendalltau(all_scores(first[1]), all_scores(second[1])).statistic
    found = compare_rankings(first, second, {}, seed=3)
    assert found.kendall_tau == pytest.approx(expected, abs=0.05)
    assert found == compare_rankings(first, second, {}, seed=3)
    best = [set(ranking["architecture"][:10]) for ranking, _ in (first, second)]
    assert found.num_shared == len(best[0] & best[1])


def test_budgets_and_failures_leave_architectures_out():
    rng = np.random.default_rng(2)
    budgets = {"num_params": 5}
    first, second = ranked(rng, budgets), ranked(rng, budgets)
    assert 0 < compare_rankings(first, second, budgets, seed=0).num_compared < 1000
    second[1][0].loc[second[1][0]["candidate"] != "a", "rating"] = np.nan
    few = compare_rankings(first, second, {}, seed=0)
    assert 200 < few.num_compared < 500  # a sixth


def test_few_architectures_tell_nothing():
    first = ranked(np.random.default_rng(3), {})
    found = compare_rankings(first, first, {"num_params": -1}, seed=0)
    assert np.isnan(found.kendall_tau)
    assert found.num_compared == 0
