import numpy as np
import pytest

from nasray.methods.dna_plus.table import best_generation, ended_by, generations_table
from nasray.settings.loading import load_config


def table(*accuracies):
    return generations_table([{"held_out_accuracy": value} for value in accuracies])


@pytest.mark.parametrize(
    ("accuracies", "margin", "expected"),
    [
        ([0.8], 0.01, None),
        ([0.8, 0.9], 0.01, None),
        ([0.8, 0.805], 0.01, "margin"),
        ([0.8, 0.8], 0.0, None),
        ([0.8, 0.79], 0.0, "margin"),
        ([0.8, 0.9, 0.95], 0.01, "count"),
        ([0.8, 0.9, 0.7], 0.01, "margin"),
    ],
)
def test_there_is_another_until_too_little_is_gained(plus, accuracies, margin, expected):
    settings = load_config(plus(generations=3, margin=margin)).searches[0]
    assert ended_by(table(*accuracies), settings) == expected


def test_the_best_is_the_first_of_equals():
    assert best_generation(table(0.8, 0.9, 0.9)) == 2


def test_gains_are_over_the_generation_before():
    found = table(0.5, 0.75, 0.625)
    assert found["generation"].tolist() == [1, 2, 3]
    np.testing.assert_array_equal(found["gain"], [np.nan, 0.25, -0.125])
