import itertools

import numpy as np
import pandas as pd
import pytest

from nasray.analysis.exact.ranking import top_architectures
from nasray.analysis.tables.batches import comparable
from nasray.analysis.trust.uncertainty import contenders, score_errors, tie_groups, top_probabilities


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
    for name, match in (
        ("a/b", "for each of the 3 blocks, got a/b"),
        ("a/b/z", "block 2 must have one named z"),
    ):
        with pytest.raises(ValueError, match=match):
            score_errors(pd.DataFrame({"architecture": [name]}), tables)
    with pytest.raises(ValueError, match="block 1 must have the column rating_batches"):
        top_probabilities([tables[0], tables[1].drop(columns="rating_batches")], None, ["a/a"], 1)
    with pytest.raises(ValueError, match="block 0 must have rating_batches in each row with a rating"):
        top_probabilities([tables[0].assign(rating_batches=[[]] + [[0.0, 0.0]] * 5)], None, ["a"], 1)
    with pytest.raises(ValueError, match="resamples must be at least 1, got 0"):
        top_probabilities(tables, None, ["a/a/a"], 1, num_resamples=0)


def shortened(table, rows, number):
    """The table with the first batches alone in some rows."""
    batches = [
        values[:number] if row in rows else values for row, values in enumerate(table["rating_batches"])
    ]
    return comparable(table.assign(rating_batches=batches, rating=[np.mean(values) for values in batches]))


def test_sums_and_differences_are_over_the_batches_that_are_shared():
    tables = random_tables(np.random.default_rng(2), shared=1.0, own=0.02)
    whole = top_architectures(tables, None, 216)
    short = [shortened(tables[0], {2, 3, 4, 5}, 4), *tables[1:]]
    ranking = top_architectures(short, None, 216)
    errors = dict(zip(ranking["architecture"], score_errors(ranking, short), strict=True))
    batches = sum(table["rating_batches"][0] for table in tables)
    assert errors["a/a/a"] == pytest.approx(batches.std(ddof=1) / np.sqrt(10))
    batches = tables[0]["rating_batches"][4][:4] + sum(table["rating_batches"][0] for table in tables[1:])[:4]
    assert errors["e/a/a"] == pytest.approx(batches.std(ddof=1) / 2)
    # What all share makes the first batches otherwise hard, but the order and the groups remain near what they were.
    places = [whole.set_index("architecture")["rank"], ranking.set_index("architecture")["rank"]]
    assert places[0].corr(places[1], method="spearman") > 0.99
    assert tie_groups(ranking, short).max() > 5


def test_contenders_are_the_best_and_those_not_told_from_the_last_of_them():
    tables = random_tables(np.random.default_rng(3), own=0.1)
    ranking = top_architectures(tables, None, 216)
    listed = contenders(ranking, tables, 5)
    assert listed[:5].all()
    assert not listed.all()
    # The fifth's own group, as if it were the first.
    beyond = np.flatnonzero(tie_groups(ranking[4:], tables) > 1)
    assert listed[4 : 4 + beyond[0]].all()
    assert not listed[4 + beyond[0]]
    assert contenders(ranking, tables, 1000).all()


def test_training_seeds_widen_errors_and_join_groups():
    tables = random_tables(np.random.default_rng(4), own=0.01)
    ranking = top_architectures(tables, None, 216)
    same = [table.assign(rating_seeds=[[rating] * 3 for rating in table["rating"]]) for table in tables]
    assert score_errors(ranking, same) == pytest.approx(score_errors(ranking, tables))
    assert tie_groups(ranking, same).tolist() == tie_groups(ranking, tables).tolist()
    offsets = np.random.default_rng(5).normal(0, 0.1, (3, 6, 3))
    apart = [
        table.assign(rating_seeds=list(table["rating"].to_numpy()[:, None] + of_block))
        for table, of_block in zip(tables, offsets, strict=True)
    ]
    first = [
        offsets[block, "abcdef".index(name)]
        for block, name in enumerate(ranking["architecture"][0].split("/"))
    ]
    expected = np.hypot(
        score_errors(ranking, tables)[0], np.sqrt(sum(np.var(one, ddof=1) / 3 for one in first))
    )
    assert score_errors(ranking, apart)[0] == pytest.approx(expected)
    assert tie_groups(ranking, apart).max() < tie_groups(ranking, tables).max()


def test_seeds_that_move_all_candidates_of_a_block_alike_part_nothing():
    tables = random_tables(np.random.default_rng(6), own=0.01)
    ranking = top_architectures(tables, None, 216)
    offsets = np.random.default_rng(7).normal(0, 1, (3, 3))
    moved = [
        table.assign(rating_seeds=list(table["rating"].to_numpy()[:, None] + of_block))
        for table, of_block in zip(tables, offsets, strict=True)
    ]
    assert score_errors(ranking, moved).min() > 0.3
    assert tie_groups(ranking, moved).tolist() == tie_groups(ranking, tables).tolist()
