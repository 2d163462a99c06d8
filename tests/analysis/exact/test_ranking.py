import itertools
import json
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from nasray.analysis.exact.exact_sums import rounded_down
from nasray.analysis.exact.ranking import top_architectures


def ranked(frame):
    return list(zip(frame["score"], frame["architecture"], strict=True))


def test_the_best_architectures_are_those_of_brute_force(instances):
    for instance in instances:
        feasible = instance.feasible
        for k in (len(feasible) // 3 + 1, len(feasible) + 1):
            if not feasible:
                with pytest.raises(ValueError, match=r"smallest of all|together"):
                    top_architectures(instance.tables, instance.budgets, k)
                continue
            frame = top_architectures(instance.tables, instance.budgets, k)
            assert ranked(frame) == [(float(score), name) for score, name, _ in feasible[:k]]
            certificate = frame.attrs["certificate"]
            assert certificate["proved"]
            assert certificate["gap"] == 0
            assert certificate["lower_bound"] == rounded_down(feasible[0][0])
            assert certificate["multipliers"].keys() == instance.budgets.keys()


def test_the_columns_are_ranks_ids_scores_and_summed_costs(instances):
    instance = next(instance for instance in instances if len(instance.feasible) > 5)
    frame = top_architectures(instance.tables, instance.budgets, 5)
    costs = ["num_params", "num_macs", "latency_ms"]
    assert frame.columns.tolist() == ["rank", "architecture", "score", *costs]
    assert frame["rank"].tolist() == [1, 2, 3, 4, 5]
    expected = [{name: float(cost) for name, cost in costs.items()} for _, _, costs in instance.feasible[:5]]
    assert frame[costs].to_dict("records") == expected
    assert [frame[cost].dtype for cost in costs] == ["int64", "int64", "float64"]


def test_costs_are_summed_only_where_all_blocks_have_them():
    first = pd.DataFrame(
        {"candidate": ["a"], "rating": [1.0], "depth": [2], "num_params": [3], "energy": [0.5]}
    )
    second = first.drop(columns="num_params")
    assert top_architectures([first, second]).columns.tolist() == ["rank", "architecture", "score"]
    frame = top_architectures([first, second], {"energy": 1e9})
    assert frame["energy"].tolist() == [1.0]
    assert frame.attrs["certificate"]["multipliers"] == {"energy": 0.0}


def test_the_attributes_survive_as_plain_data(instances, tmp_path):
    frame = top_architectures(instances[0].tables, None, 3)
    assert json.loads(json.dumps(frame.attrs)) == frame.attrs
    frame.to_parquet(tmp_path / "ranking.parquet")
    assert pd.read_parquet(tmp_path / "ranking.parquet").attrs == frame.attrs


def test_the_same_tables_give_the_same_ranking_whatever_their_order(large_tables):
    budgets = {"num_params": 3_000_000, "num_macs": 3e8}
    shuffled = [table.sample(frac=1, random_state=1) for table in large_tables]
    first, second = top_architectures(large_tables, budgets), top_architectures(shuffled, budgets)
    pd.testing.assert_frame_equal(first, second)
    assert first.attrs == second.attrs


@pytest.mark.parametrize("budgets", [{}, {"num_params": 3_000_000, "num_macs": 3e8}])
def test_a_large_space_is_ranked_with_proof(large_tables, budgets):
    frame = top_architectures(large_tables, budgets, 1000)
    assert frame.attrs["certificate"]["proved"]
    assert frame["score"].is_monotonic_increasing
    assert frame["architecture"].is_unique
    assert all((frame[name] <= limit).all() for name, limit in budgets.items())


@pytest.mark.parametrize("rating", [1.0, 0.1, -0.3])
def test_equal_ratings_are_ranked_by_id_however_many_they_are(large_tables, rating):
    tables = [table.assign(rating=rating) for table in large_tables]
    frame = top_architectures(tables, None, 2500)
    names = sorted(tables[0]["candidate"])
    inner = sorted(tables[0]["candidate"], key=lambda name: f"{name}/")
    expected = itertools.islice(itertools.product(*[inner] * 5, names), 2500)
    assert frame["architecture"].tolist() == ["/".join(candidates) for candidates in expected]
    assert frame.attrs["certificate"]["proved"]


@pytest.mark.parametrize("decimals", [0, 1])
def test_few_different_ratings_do_not_slow_the_ranking(large_tables, decimals):
    tables = [table.assign(rating=table["rating"].round(decimals)) for table in large_tables]
    for budgets in ({}, {"num_params": 4_000_000, "num_macs": 4e8}):
        frame = top_architectures(tables, budgets, 1000, time_limit_seconds=20)
        assert frame.attrs["certificate"]["proved"]
        ratings = [dict(zip(table["candidate"], table["rating"], strict=True)) for table in tables]
        exact = [
            (
                sum(
                    Fraction(of_block[name]) for of_block, name in zip(ratings, text.split("/"), strict=True)
                ),
                text,
            )
            for text in frame["architecture"]
        ]
        assert exact == sorted(exact)


def test_a_time_limit_leaves_a_certain_gap(large_tables):
    budgets = {"num_params": 2_000_000, "num_macs": 2e8}
    exact = top_architectures(large_tables, budgets, 1000)
    for seconds in (0.03, 0.1):
        frame = top_architectures(large_tables, budgets, 1000, time_limit_seconds=seconds)
        certificate = frame.attrs["certificate"]
        assert certificate["lower_bound"] <= exact["score"][0]
        if len(frame) == 1000:
            assert frame["score"][999] - exact["score"][999] <= certificate["gap"]


def test_no_time_leaves_nothing_and_says_so(large_tables):
    frame = top_architectures(large_tables, {"num_macs": 3e8}, 10, time_limit_seconds=1e-9)
    assert frame.columns.tolist() == ["rank", "architecture", "score", "num_params", "num_macs"]
    assert len(frame) == 0
    certificate = frame.attrs["certificate"]
    assert not certificate["proved"]
    assert certificate["gap"] == np.inf
    assert certificate["lower_bound"] <= top_architectures(large_tables, {"num_macs": 3e8}, 1)["score"][0]


def test_budgets_that_cannot_be_met_are_named():
    table = pd.DataFrame(
        {"candidate": ["a", "b"], "rating": [1.0, 2.0], "num_params": [1, 5], "x_ms": [0.5, 0.1]}
    )
    with pytest.raises(
        ValueError, match="num_params must be at least 2, the smallest of all rated architectures, got 1"
    ):
        top_architectures([table, table], {"num_params": 1, "x_ms": 9})
    with pytest.raises(
        ValueError, match=r"x_ms must be at least 0\.2, the smallest of all rated architectures, got 0\.1"
    ):
        top_architectures([table, table], {"x_ms": 0.1})
    with pytest.raises(
        ValueError, match=r"no rated architecture meets all together.*num_params 3, x_ms 0\.3"
    ):
        top_architectures([table, table], {"num_params": 3, "x_ms": 0.3})


def test_arguments_that_make_no_sense_are_refused(instances):
    tables = instances[0].tables
    with pytest.raises(ValueError, match="to list must be at least 1, got 0"):
        top_architectures(tables, k=0)
    with pytest.raises(ValueError, match="time limit must be positive, got 0"):
        top_architectures(tables, time_limit_seconds=0)
