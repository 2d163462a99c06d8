import math
from itertools import pairwise

import pytest
from matplotlib.figure import Figure

from nasray.analysis.report.drawing.axis import linear, logarithmic, names


def ticks(axis):
    """The values and texts that an axis shows, and where along it they stand."""
    axes = Figure().add_subplot()
    axis.put_on(axes, "y")
    shown = [
        (value, label.get_text().replace("\u2212", "-"))
        for value, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
        if min(axis.low, axis.high) <= value <= max(axis.low, axis.high)
    ]
    places = axes.transAxes.inverted().transform(
        axes.transData.transform([(0.0, value) for value, _ in shown])
    )
    return [text for _, text in shown], places[:, 1].tolist()


def texts(axis):
    return ticks(axis)[0]


def test_ticks_are_round_and_few():
    assert texts(linear("", [0.9487, 0.9931])) == ["0.95", "0.96", "0.97", "0.98", "0.99"]
    assert texts(linear("", [0, 1_100_000])) == ["0", "200k", "400k", "600k", "800k", "1M"]
    assert texts(linear("", [-0.3, 0.4])) == ["-0.2", "0.0", "0.2", "0.4"]


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 7.0, 1e5, 1e12])
def test_there_are_ticks_at_every_scale_that_differ(scale):
    shown = texts(linear("", [1.0 * scale, 3.3 * scale]))
    assert 3 <= len(shown) <= 7
    assert len(set(shown)) == len(shown)
    assert max(map(len, shown)) < 12


def test_whole_numbers_have_whole_ticks():
    assert texts(linear("", [6, 8], whole=True)) == ["6", "7", "8"]
    assert texts(linear("", [0, 0], whole=True)) == ["0"]
    assert texts(linear("", [1], low=1, whole=True)) == ["1"]


def test_an_axis_has_a_length_whatever_it_shows():
    for values in ([], [math.nan, math.inf], [0.0], [-2.0, -2.0]):
        axis = linear("", values)
        assert axis.high > axis.low
    assert linear("", [5.0], low=5.0).high > 5.0


def test_all_values_have_a_place():
    axis = linear("", [-3.0, math.nan, 8.0])
    assert axis.low < -3 < 8 < axis.high
    assert linear("", [0.0, 8.0], low=0).low == 0


def test_powers_of_ten_take_equal_lengths():
    shown, places = ticks(logarithmic("", [1, 3e17]))
    assert shown == ["1", "10³", "10⁶", "10⁹", "10¹²", "10¹⁵"]
    steps = [after - before for before, after in pairwise(places)]
    assert steps == pytest.approx([steps[0]] * len(steps))
    assert texts(logarithmic("", [1, 1])) == ["1", "10"]


def test_names_stand_from_the_top():
    shown, places = ticks(names("", ["a", "b"]))
    assert shown == ["a", "b"]
    assert places[0] > places[1]
