import numpy as np
import pandas as pd
import pytest

from nasray.analysis.counting.counting import count_feasible
from nasray.analysis.counting.distribution import ScoreGrid, score_distribution
from nasray.analysis.exact.chain import link


def test_counts_are_those_of_brute_force_up_to_the_stated_rounding(instances):
    for instance in instances:
        scores = np.array([float(score) for score, _, _ in instance.everything])
        distribution = score_distribution(instance.tables, num_bins=7)
        assert sum(distribution.counts) == len(scores)
        assert all(type(count) is int for count in distribution.counts)
        width = distribution.edges[1] - distribution.edges[0]
        assert distribution.rounding <= width / 20 + 1e-12
        if scores.min() < scores.max():
            assert distribution.edges[[0, -1]] == pytest.approx([scores.min(), scores.max()])
        for edge, below in zip(distribution.edges[1:-1], np.cumsum(distribution.counts), strict=False):
            assert (scores < edge - distribution.rounding).sum() <= below
            assert below <= (scores <= edge + distribution.rounding).sum()


def test_equal_scores_are_in_one_bin():
    table = pd.DataFrame({"candidate": ["a", "b"], "rating": [0.25, 0.25]})
    distribution = score_distribution([table, table], num_bins=4)
    assert distribution.counts == (0, 0, 4, 0)
    assert distribution.edges.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_widths_that_cancel_what_ratings_differ_by_are_seen():
    before = pd.DataFrame({"candidate": ["a", "b"], "rating": [0.0, 1.0], "out_channels": [8, 16]})
    after = pd.DataFrame({"candidate": ["c", "d"], "rating": [1.0, 0.0], "in_channels": [8, 16]})
    assert score_distribution([before, after], num_bins=3).counts == (0, 2, 0)


@pytest.mark.parametrize("num_blocks", [6, 80])
def test_large_spaces_are_counted_to_the_last_architecture(large_tables, num_blocks):
    tables = [table.head(1000 if num_blocks == 6 else 30) for table in (large_tables * 14)[:num_blocks]]
    distribution = score_distribution(tables, num_bins=20)
    assert sum(distribution.counts) == count_feasible(tables).lower == len(tables[0]) ** num_blocks
    middle = np.average(
        distribution.edges[:-1] + np.diff(distribution.edges) / 2,
        weights=np.array(distribution.counts, float),
    )
    mean = sum(table["rating"].mean() for table in tables)
    assert middle == pytest.approx(mean, abs=(distribution.edges[1] - distribution.edges[0]) / 10)


def test_shares_are_the_numbers_of_completions_by_that_of_all_sequences(instances):
    for instance in instances[:20]:
        chain = link(instance.tables, None)
        grid = ScoreGrid.lay(chain, [block.ratings for block in chain.blocks], 0.01)
        numbers, shares = (list(grid.completions(np.dtype(dtype))) for dtype in (np.int64, np.float64))
        sequences = np.cumprod([1] + [len(block.ratings) for block in reversed(chain.blocks)])
        for number, share, num_sequences in zip(numbers, shares, sequences, strict=True):
            assert share * num_sequences == pytest.approx(number)


def test_no_bins_are_refused(large_tables):
    with pytest.raises(ValueError, match="num_bins must be at least 1, got 0"):
        score_distribution(large_tables, num_bins=0)
