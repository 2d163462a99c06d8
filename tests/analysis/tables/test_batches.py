import numpy as np
import pandas as pd
import pytest

from nasray.analysis.tables.batches import block_batches, comparable, padded, weighted_ratings


def table_of(batches):
    ratings = [np.mean(row) if len(row) else np.nan for row in batches]
    return pd.DataFrame(
        {
            "candidate": [f"c{number}" for number in range(len(batches))],
            "rating": ratings,
            "rating_batches": [np.asarray(row, float) for row in batches],
            "swap_in": np.nan,
            "swap_in_batches": None,
        }
    )


def test_rows_of_equal_numbers_of_batches_are_left_as_they_are():
    table = table_of([[1, 2, 3], [2, 3, 5], []])
    assert comparable(table) is table


def test_a_short_row_is_rated_beside_the_whole_ones_on_its_own_batches():
    # The last batch is the hardest: as a mean over two batches the short row would be the best.
    table = table_of([[1, 2, 6], [2, 3, 7], [2.5, 3.5], []])
    ratings = comparable(table)["rating"]
    assert ratings[:3].tolist() == pytest.approx([3, 4, 4.5])
    assert np.isnan(ratings[3])
    assert table["rating"][2] == 3


def test_the_second_rating_is_made_comparable_too():
    table = table_of([[1, 2, 6], [2.5, 3.5]])
    table = table.assign(swap_in=[2.0, 1.0], swap_in_batches=[[1.0, 1.0, 4.0], [1.0, 1.0]])
    assert comparable(table)["swap_in"].tolist() == pytest.approx([2, 2])


def test_weights_of_batches_are_those_among_the_own_ones():
    values = padded([[1.0, 2.0, 6.0], [3.0, 4.0, 8.0], [4.0, 2.0]])
    weights = np.array([0.6, 0.2, 0.2])
    of_batches = np.array([2.0, 3.0, 7.0])
    expected = of_batches @ weights + (0.6 * 2 + 0.2 * -1) / 0.8
    assert weighted_ratings(values, weights) == pytest.approx([2.2, 4.2, expected])
    assert weighted_ratings(values[:2], weights) == pytest.approx([2.2, 4.2])
    assert weighted_ratings(values[:2, :2], weights) == pytest.approx([1.25, 3.25])


def test_unbiased_where_rows_are_chosen_at_random():
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(400):
        batches = np.arange(20)[:, None] / 20 + rng.normal(0, 1, 8) + rng.normal(0, 0.1, (20, 8))
        short = [row[:3] if number % 2 else row for number, row in enumerate(batches)]
        errors.append(comparable(table_of(short))["rating"][1::2] - batches.mean(axis=1)[1::2])
    errors = np.array(errors)
    assert abs(errors.mean()) < 0.003
    assert errors.std() < 0.07  # own noise alone: 0.1 * sqrt(1 / 3 - 1 / 8) = 0.046, and that of the shift


def test_batches_of_blocks_are_padded():
    first, second = block_batches([table_of([[1, 2, 6], [3], []]), table_of([[1.0, 2.0]])])
    np.testing.assert_array_equal(first, [[1, 2, 6], [3, np.nan, np.nan], [np.nan] * 3])
    np.testing.assert_array_equal(second, [[1, 2]])
