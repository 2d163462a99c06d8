import numpy as np
import pandas as pd
import pytest

from nasray.analysis.exact.ranking import top_architectures
from nasray.analysis.exact.unrated import unrated_candidates
from nasray.analysis.tables.criterion import tables_by, weighted_tables
from nasray.analysis.trust.uncertainty import score_errors


@pytest.fixture
def tables():
    rng = np.random.default_rng(0)
    found = []
    for block in range(2):
        ratings, swapped = rng.uniform(0.2, 0.8, (5, 3)), rng.uniform(0.1, 0.9, (5, 3))
        table = pd.DataFrame(
            {
                "candidate": [f"1x8:op{number}" for number in range(5)],
                "rating": ratings.mean(axis=1),
                "rating_batches": list(ratings),
                "swap_in": swapped.mean(axis=1),
                "swap_in_batches": list(swapped),
            }
        )
        if block == 1:
            table.loc[4, "swap_in"], table.loc[[4], "swap_in_batches"] = np.nan, pd.Series([None], [4])
        found.append(table)
    return found


def sums(tables, values):
    """Scores of all architectures by brute force, best first."""
    rows = [
        (values(0, first) + values(1, second), f"{first['candidate']}/{second['candidate']}")
        for first in tables[0].to_dict("records")
        for second in tables[1].to_dict("records")
    ]
    return sorted((score, name) for score, name in rows if np.isfinite(score))


def test_the_score_is_the_ratings_as_they_are(tables):
    assert all(a is b for a, b in zip(tables_by("score", tables), tables, strict=True))


def test_by_swap_in_the_ranking_is_exactly_that_of_the_second_rating(tables):
    ranking = top_architectures(tables_by("swap_in", tables), k=100)
    expected = sums(tables, lambda block, row: row["swap_in"])
    assert len(expected) == 20, "what was not swapped in takes no part"
    assert list(ranking["architecture"]) == [name for _, name in expected]
    assert list(ranking["score"]) == pytest.approx([score for score, _ in expected])
    assert "rating" in tables[0]
    assert tables[0]["rating"].iloc[0] != tables_by("swap_in", tables)[0]["rating"].iloc[0]


def test_what_was_not_swapped_in_says_so(tables):
    failed = tables[0].assign(failure=["non-finite output", *[None] * 4])
    failed.loc[0, ["rating", "swap_in"]] = np.nan
    expected = ["1 of the 5 in block 0, 1x8:op0 (non-finite output)"]
    expected.append("1 of the 5 in block 1, 1x8:op4 (not rated inside the teacher)")
    for by in (
        tables_by("swap_in", [failed, tables[1]]),
        weighted_tables([failed, tables[1]], {"rating": [1.0, 1.0], "swap_in": [0.0, 0.7]}),
    ):
        assert list(map(str, unrated_candidates(by))) == expected
    assert unrated_candidates(weighted_tables(tables, {"rating": [1.0, 1.0]})) == ()


def test_error_bars_are_those_of_the_criterion(tables):
    by = tables_by("swap_in", tables)
    ranking = top_architectures(by, k=1)
    first, second = (int(part[-1]) for part in ranking["architecture"][0].split("/"))
    batches = tables[0]["swap_in_batches"][first] + tables[1]["swap_in_batches"][second]
    assert score_errors(ranking, by) == pytest.approx([batches.std(ddof=1) / np.sqrt(3)])


def test_without_second_ratings_there_is_no_such_ranking(tables):
    for without in (tables[1].drop(columns="swap_in"), tables[1].assign(swap_in=np.nan)):
        with pytest.raises(ValueError, match=r"block 1 has none.*swap_in_images above 0"):
            tables_by("swap_in", [tables[0], without])


@pytest.mark.parametrize(
    "weights", [{"rating": [0.5, 1.5]}, {"rating": [1.0, 1.0], "swap_in": [0.0, 0.7]}, {"rating": [0.0, 2.0]}]
)
def test_the_weighted_ranking_is_exact(tables, weights):
    def value(block, row):
        return sum(of_blocks[block] * row[name] for name, of_blocks in weights.items())

    weighted = weighted_tables(tables, weights)
    ranking = top_architectures(weighted, k=100)
    expected = sums(tables, value)
    assert ranking.attrs["certificate"]["proved"]
    assert list(ranking["score"]) == pytest.approx([score for score, _ in expected])
    assert set(ranking["architecture"]) == {name for _, name in expected}
    for table in weighted:
        known = table[table["rating"].notna()]
        assert list(known["rating_batches"].map(np.mean)) == pytest.approx(list(known["rating"]))


def test_weights_are_one_per_block_and_of_the_same_batches(tables):
    with pytest.raises(ValueError, match=r"one per block, of 2 blocks, got 3"):
        weighted_tables(tables, {"rating": [1.0, 1.0, 1.0]})
    with pytest.raises(ValueError, match="must have the column swap_in"):
        weighted_tables([table.drop(columns="swap_in") for table in tables], {"swap_in": [1.0, 1.0]})
    tables[0]["swap_in_batches"] = [np.zeros(2)] * 5
    with pytest.raises(ValueError, match=r"in block 0 got \[2, 3\]"):
        weighted_tables(tables, {"rating": [1.0, 1.0], "swap_in": [1.0, 1.0]})
