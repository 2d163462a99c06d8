import itertools

import numpy as np
import pandas as pd
import pytest

from analysis.ranking import top_architectures
from analysis.uncertainty import score_errors, tie_groups, top_probabilities


def table_of(batches, names="abcdefgh", **columns):
    batches = np.asarray(batches, float)
    return pd.DataFrame(
        {
            "candidate": list(names[: len(batches)]),
            "rating": batches.mean(axis=1),
            "rating_batches": list(batches),
        }
    ).assign(**columns)


def random_tables(rng, *, num_batches=10, shared=0.0, own=0.1, num_blocks=3):
    """Ratings whose errors have a part that all candidates of a batch share."""
    means = np.linspace(0, 0.5, 6)[:, np.newaxis]
    of_batches = shared * rng.standard_normal(num_batches)
    return [
        table_of(means + of_batches + own * rng.standard_normal((6, num_batches))) for _ in range(num_blocks)
    ]


def test_errors_are_those_of_the_batches_sums(instances):
    rng = np.random.default_rng(0)
    for instance in instances[:20]:
        tables = [
            table.assign(
                rating_batches=[
                    [] if np.isnan(rating) else rating + rng.random(5) for rating in table["rating"]
                ]
            )
            for table in instance.tables
        ]
        ranking = top_architectures(tables, None, 50)
        errors = score_errors(ranking, tables)
        for name, error in zip(ranking["architecture"], errors, strict=True):
            sums, width = np.zeros(5), None
            for candidate, table in zip(name.split("/"), tables, strict=True):
                rows = table[table["candidate"] == candidate]
                if width is not None and "in_channels" in table:
                    rows = rows[rows["in_channels"] == width]
                (row,) = rows.to_dict("records")
                sums, width = sums + row["rating_batches"], row.get("out_channels")
            assert error == pytest.approx(np.std(sums, ddof=1) / np.sqrt(5))


def test_errors_hold_the_true_score_as_often_as_they_say():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        tables = random_tables(rng, shared=0.2)
        best = pd.DataFrame({"architecture": ["a/b/c"]})
        score = sum(table["rating"].iloc[row] for row, table in enumerate(tables))
        covered += (
            abs(score - 0.3) <= 2.262 * score_errors(best, tables)[0]
        )  # Student's t, 9 degrees of freedom
    assert 0.92 <= covered / 300 <= 0.98


def test_errors_that_all_share_part_no_groups():
    rng = np.random.default_rng(0)
    tables = random_tables(rng, shared=1.0, own=0.001)
    ranking = top_architectures(tables, None, 216)
    assert score_errors(ranking, tables).min() > 0.5
    groups = tie_groups(ranking, tables)
    # Sums of the true ratings are multiples of 0.1, far more apart than what is not shared.
    levels = np.rint(ranking["score"] * 10 - sum(table["rating"][0] for table in tables) * 10)
    assert groups[0] == 1
    assert (np.diff(groups) >= np.sign(np.diff(levels))).all()


def test_groups_are_those_of_walking_down():
    rng = np.random.default_rng(1)
    tables = random_tables(rng, own=0.15)
    ranking = top_architectures(tables, None, 216)
    batches = {
        "/".join(names): sum(
            np.asarray(table.set_index("candidate")["rating_batches"][name])
            for name, table in zip(names, tables, strict=True)
        )
        for names in itertools.product("abcdef", repeat=3)
    }
    expected, first, group = [], ranking["architecture"][0], 1
    for name in ranking["architecture"]:
        difference = batches[name] - batches[first]
        if difference.mean() > 2.262157 * difference.std(ddof=1) / np.sqrt(10):
            first, group = name, group + 1
        expected.append(group)
    assert tie_groups(ranking, tables).tolist() == expected
    assert 1 < group < 216


def test_the_first_group_keeps_what_is_as_good_as_the_first():
    rng = np.random.default_rng(0)
    kept = 0
    for _ in range(200):
        means = np.array([[0.0], [0.0], [1.0]])
        tables = [table_of(means + 0.1 * rng.standard_normal((3, 10)))]
        groups = tie_groups(top_architectures(tables, None, 3), tables)
        kept += groups.tolist() == [1, 1, 2]
    # The worse of two equals is tested at the two-sided level of 5%.
    assert 0.91 <= kept / 200 <= 0.99


def test_probabilities_are_those_of_ranking_each_replicate():
    tables = random_tables(np.random.default_rng(0), own=0.2)
    names = ["/".join(parts) for parts in itertools.product("abcdef", repeat=3)]
    weights = np.random.default_rng(5).dirichlet(np.ones(10), 40)
    listed = np.zeros(216)
    for of_batches in weights:
        ratings = [np.stack(table["rating_batches"].to_list()) @ of_batches for table in tables]
        scores = np.array([sum(parts) for parts in itertools.product(*ratings)])
        listed[np.argsort(scores)[:7]] += 1
    probabilities = top_probabilities(tables, None, names, 7, num_resamples=40, seed=5)
    assert probabilities == pytest.approx(listed / 40)
    assert probabilities.sum() == pytest.approx(7)
    assert ((probabilities > 0) & (probabilities < 1)).sum() > 5


def test_probabilities_keep_the_budgets():
    tables = random_tables(np.random.default_rng(0))
    tables = [table.assign(num_params=[5, 4, 3, 2, 1, 0]) for table in tables]
    probabilities = top_probabilities(tables, {"num_params": 9}, ["a/a/a", "c/c/c"], 3, num_resamples=10)
    assert probabilities[0] == 0
    assert top_probabilities(tables, {"num_params": 0}, ["f/f/f"], 1, num_resamples=10) == [1]


def test_time_may_run_out():
    tables = random_tables(np.random.default_rng(0))
    some = top_probabilities(tables, None, ["a/a/a"], 3, time_limit_seconds=1e-9)
    assert np.isnan(some).all()
    enough = top_probabilities(tables, None, ["a/a/a"], 3, num_resamples=5, time_limit_seconds=60)
    assert enough == top_probabilities(tables, None, ["a/a/a"], 3, num_resamples=5)


def test_one_batch_tells_nothing():
    tables = random_tables(np.random.default_rng(0), num_batches=1)
    ranking = top_architectures(tables, None, 10)
    assert np.isnan(score_errors(ranking, tables)).all()
    assert np.isnan(top_probabilities(tables, None, ranking["architecture"].tolist(), 3)).all()
    assert tie_groups(ranking, tables).tolist() == [1] * 10


def test_tables_and_architectures_that_do_not_fit_are_refused():
    tables = random_tables(np.random.default_rng(0))
    for name, match in (("a/b", "for each of 3 blocks, got a/b"), ("a/b/z", "block 2 must have one named z")):
        with pytest.raises(ValueError, match=match):
            score_errors(pd.DataFrame({"architecture": [name]}), tables)
    with pytest.raises(ValueError, match="block 1 must have the column rating_batches"):
        top_probabilities([tables[0], tables[1].drop(columns="rating_batches")], None, ["a/a"], 1)
    with pytest.raises(ValueError, match=r"same batches, got \[2, 10\]"):
        top_probabilities([tables[0], table_of([[1, 2]])], None, ["a/a"], 1)
    with pytest.raises(ValueError, match=r"as many rating_batches in each row, got \[1, 2\]"):
        top_probabilities([tables[0].assign(rating_batches=[[0.0]] + [[0.0, 0.0]] * 5)], None, ["a"], 1)
    with pytest.raises(ValueError, match="num_resamples must be at least 1, got 0"):
        top_probabilities(tables, None, ["a/a/a"], 1, num_resamples=0)
