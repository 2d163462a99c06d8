import numpy as np
import pandas as pd
import pytest

from nasray.analysis.tables.sums import sum_columns


@pytest.fixture
def tables():
    first = pd.DataFrame(
        {
            "candidate": ["1x8:a", "2x16:a,b"],
            "in_channels": 3,
            "out_channels": [8, 16],
            "rating": [0.1, 0.7],
            "swap_in": [0.5, np.nan],
        }
    )
    second = pd.DataFrame(
        {
            "candidate": ["1x4:a", "1x4:a"],
            "in_channels": [8, 16],
            "out_channels": 4,
            "rating": [0.2, 0.4],
            "swap_in": [0.25, 0.5],
        }
    )
    return [first, second]


def test_rows_are_those_entered_at_the_width_before(tables):
    assert sum_columns("1x8:a/1x4:a", tables, ["rating", "swap_in"]) == {"rating": 0.1 + 0.2, "swap_in": 0.75}
    assert sum_columns("2x16:a,b/1x4:a", tables, ["rating"]) == {"rating": 0.7 + 0.4}


def test_what_is_missing_is_not_a_number(tables):
    sums = sum_columns("2x16:a,b/1x4:a", tables, ["swap_in", "latency_ms"])
    assert np.isnan(sums["swap_in"])
    assert np.isnan(sums["latency_ms"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1x8:a", "a candidate for each of the 2 blocks"),
        ("1x8:a/1x4:b", "the candidates of block 1 must have one named 1x4:b, entered at 8"),
        ("nonsense", "a candidate is written like"),
    ],
)
def test_texts_that_are_no_architecture_of_the_tables(tables, text, message):
    with pytest.raises(ValueError, match=message):
        sum_columns(text, tables, ["rating"])
