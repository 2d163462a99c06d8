import collections
import itertools

import numpy as np
import pandas as pd
import pytest

from nasray.analysis.counting.stratified_sample import _Strata, sample_by_score
from nasray.analysis.exact.chain import link
from nasray.analysis.exact.ranking import top_architectures


def test_samples_are_architectures_within_the_budgets(instances):
    for instance in instances:
        feasible = {name: (score, costs) for score, name, costs in instance.feasible}
        for num in (2, 6, len(feasible) + 1):
            if not feasible:
                continue
            sample = sample_by_score(instance.tables, num, budgets=instance.budgets)
            assert len(sample) == min(num, len(feasible))
            assert sample["architecture"].is_unique
            assert sample["score"].is_monotonic_increasing
            for row in sample.to_dict("records"):
                score, costs = feasible[row.pop("architecture")]
                assert row == {"score": float(score), **{name: float(cost) for name, cost in costs.items()}}


def test_every_stratum_that_has_an_architecture_gives_one(instances):
    for instance in instances:
        scores = np.array([float(score) for score, _, _ in instance.feasible])
        if len(scores) < 8 or np.ptp(scores) < 0.1:
            continue
        sample = sample_by_score(instance.tables, 5, budgets=instance.budgets)["score"]
        edges = np.linspace(scores[0], scores[-1], 6)
        possible, given = (
            np.clip(np.searchsorted(edges, of, side="right") - 1, 0, 4) for of in (scores, sample)
        )
        assert set(possible) == set(given)
        numbers = collections.Counter(given.tolist())
        available = collections.Counter(possible.tolist())
        # None gives two more than another that has some left.
        assert all(
            numbers[one] <= numbers[other] + 1 or numbers[other] == available[other]
            for one in numbers
            for other in numbers
        )


@pytest.mark.parametrize("budgets", [{}, {"num_params": 4, "num_macs": 4}])
def test_within_a_stratum_all_are_equally_likely(budgets):
    rng = np.random.default_rng(0)
    tables = [
        pd.DataFrame(
            {
                "candidate": list("abcde"),
                "rating": rng.random(5),
                "num_params": [0, 1, 2, 3, 2],
                "num_macs": [2, 0, 1, 3, 1],
            }
        )
        for _ in range(3)
    ]
    everything = top_architectures(tables, budgets, 1000)
    scores = everything["score"]
    strata = _Strata.between(link(tables, budgets), scores.iloc[0], scores.iloc[-1], 4)
    edges = np.linspace(scores.iloc[0], scores.iloc[-1], 5)
    for stratum, (low, high) in enumerate(itertools.pairwise(edges)):
        num_members = int(((scores >= low) & ((scores < high) | ((stratum == 3) & (scores == high)))).sum())
        drawn = collections.Counter(strata.draw(stratum, set(), rng) for _ in range(40 * num_members))
        assert len(drawn) == num_members
        # As a sum of squares of a chi-square distribution.
        surprise = sum((number - 40) ** 2 / 40 for number in drawn.values())
        assert surprise < num_members + 4 * np.sqrt(2 * num_members)


@pytest.mark.parametrize("limit", [1_200_000, 2_000_000, 4_000_000, 10**12])
def test_large_spaces_are_sampled_over_the_whole_range(large_tables, limit):
    budgets = {"num_params": limit, "num_macs": 100 * limit}
    sample = sample_by_score(large_tables, 15, budgets=budgets)
    assert all((sample[name] <= limit).all() for name, limit in budgets.items())
    best = top_architectures(large_tables, budgets, 1)["score"][0]
    reversed_tables = [table.assign(rating=-table["rating"]) for table in large_tables]
    worst = -top_architectures(reversed_tables, budgets, 1)["score"][0]
    strata = np.searchsorted(np.linspace(best, worst, 16)[1:-1], sample["score"], side="right")
    assert strata.tolist() == list(range(15))


def test_the_seed_decides_and_the_order_of_rows_does_not(large_tables):
    budgets = {"num_macs": 3e8}
    shuffled = [table.sample(frac=1, random_state=1) for table in large_tables]
    first, second = (
        sample_by_score(tables, 10, budgets=budgets, seed=1) for tables in (large_tables, shuffled)
    )
    pd.testing.assert_frame_equal(first, second)
    assert not first.equals(sample_by_score(large_tables, 10, budgets=budgets, seed=2))


def test_equal_scores_are_sampled_too(large_tables):
    tables = [table.assign(rating=0.5) for table in large_tables]
    sample = sample_by_score(tables, 5)
    assert sample["architecture"].nunique() == 5
    assert set(sample["score"]) == {3.0}


def test_arguments_that_make_no_sense_are_refused(large_tables):
    with pytest.raises(ValueError, match="num must be at least 1, got 0"):
        sample_by_score(large_tables, 0)
    with pytest.raises(ValueError, match="num_params must be at least"):
        sample_by_score(large_tables, 3, budgets={"num_params": 1})
