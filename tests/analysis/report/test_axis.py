import math

import pytest

from analysis.report.axis import linear, logarithmic, names


def test_ticks_are_round_and_few():
    axis = linear("", [0.9487, 0.9931])
    assert [text for _, text in axis.ticks] == ["0.95", "0.96", "0.97", "0.98", "0.99"]
    assert [text for _, text in linear("", [0, 1_100_000]).ticks] == [
        "0",
        "200k",
        "400k",
        "600k",
        "800k",
        "1M",
    ]
    assert [text for _, text in linear("", [-0.3, 0.4]).ticks] == ["−0.2", "0.0", "0.2", "0.4"]  # noqa: RUF001


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 7.0, 1e5, 1e12])
def test_there_are_ticks_at_every_scale_and_all_on_the_axis(scale):
    axis = linear("", [1.0 * scale, 3.3 * scale])
    assert 3 <= len(axis.ticks) <= 7
    assert all(0 <= axis.share(value) <= 1 for value, _ in axis.ticks)
    assert len({text for _, text in axis.ticks}) == len(axis.ticks)


def test_whole_numbers_have_whole_ticks():
    assert [text for _, text in linear("", [6, 8], whole=True).ticks] == ["6", "7", "8"]
    assert [text for _, text in linear("", [0, 0], whole=True).ticks] == ["0"]


def test_an_axis_has_a_length_whatever_it_shows():
    for values in ([], [math.nan, math.inf], [0.0], [-2.0, -2.0]):
        axis = linear("", values)
        assert axis.high > axis.low
    assert linear("", [5.0], low=5.0).high > 5.0


def test_powers_of_ten_take_equal_lengths():
    axis = logarithmic("", [1, 3e17])
    assert axis.share(1e9) == pytest.approx(0.5)
    assert math.isnan(axis.share(0))
    assert [text for _, text in axis.ticks] == ["1", "10³", "10⁶", "10⁹", "10¹²", "10¹⁵", "10¹⁸"]


def test_names_stand_from_the_top():
    axis = names("", ["a", "b"])
    assert axis.share(0) > axis.share(1)
