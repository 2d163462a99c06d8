import math

from nasray.analysis.numerals import (
    between,
    count,
    decimal,
    duration,
    power_of_ten,
    quantity,
    with_error,
    with_interval,
)


def test_quantities_have_three_digits():
    assert [quantity(value) for value in (0, 999, 1234, 5.3e6, 2e9, 1e12)] == [
        "0",
        "999",
        "1.23k",
        "5.3M",
        "2G",
        "1T",
    ]


def test_large_counts_are_exact_and_readable():
    assert count(23_868) == "23,868"
    assert count(195_898_498_887_057_408) == "195,898,498,887,057,408 (about 2.0 × 10¹⁷)"  # noqa: RUF001
    assert power_of_ten(0.00025) == "2.5 × 10⁻⁴"  # noqa: RUF001


def test_what_is_missing_is_a_dash():
    assert decimal(None) == decimal(math.nan) == with_error(None, None)
    assert with_error(0.5, math.nan) == "0.500"
    assert with_error(12345.6, 1234.5, 0) == "12,346 ± 1,234"
    assert with_error(-0.5, 0.25, 2) == "−0.50 ± 0.25"  # noqa: RUF001


def test_intervals_stand_behind_their_number():
    assert with_interval(0.5, -0.25, 1234.5, 2) == "0.50 (−0.25 to 1,234.50)"  # noqa: RUF001
    assert between(0.1, 0.2, 1) == "0.1 to 0.2"
    assert with_interval(math.nan, math.nan, math.nan) == between(math.nan, math.nan) == decimal(None)


def test_times_have_the_unit_that_suits_them():
    assert [duration(seconds) for seconds in (2.34, 240, 7200)] == ["2.3 s", "4 min", "2.0 h"]
