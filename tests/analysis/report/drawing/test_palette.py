import pytest

from nasray.analysis.report.drawing.palette import NUM_COLOURS, look, series_role


def test_series_have_looks_of_their_own():
    looks = [look(series_role(number)) for number in range(2 * NUM_COLOURS)]
    assert all(one not in looks[:number] for number, one in enumerate(looks))


def test_words_vary_a_look():
    assert look("s1 bold") == look("s1") | {"linewidth": 2.6}


def test_unknown_words_are_refused():
    with pytest.raises(KeyError):
        look("ranked gaudy")
