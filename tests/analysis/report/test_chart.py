from xml.etree import ElementTree as ET

import pytest

from analysis.report.axis import linear, names
from analysis.report.chart import SMALL, Chart, rows_size, swatch


@pytest.fixture
def chart():
    return Chart("Title", linear("x", [0, 10], low=0), linear("y", [0, 1]))


def marks(chart, tag):
    return list(ET.fromstring(chart.markup()).iter(tag))


def test_points_without_a_place_are_left_out(chart):
    chart.points(
        [1, float("nan"), 3, float("inf")], [0.5, 0.5, float("nan"), 0.5], "ranked", tips=list("abcd")
    )
    (point,) = marks(chart, "circle")
    assert [title.text for title in point] == ["a"]


def test_what_is_more_stands_right_and_up(chart):
    chart.points([1, 9], [0.1, 0.9], "ranked")
    first, second = marks(chart, "circle")
    assert float(first.get("cx")) < float(second.get("cx"))
    assert float(first.get("cy")) > float(second.get("cy"))
    assert 0 < float(second.get("cx")) < SMALL[0]
    assert 0 < float(second.get("cy")) < SMALL[1]


def test_a_box_is_cut_at_the_axes(chart):
    chart.box((-100, 100), (-100, 100), "all", opacity=0.5)
    (box,) = marks(chart, "rect")
    assert float(box.get("x")) > 0
    assert float(box.get("x")) + float(box.get("width")) < SMALL[0]
    assert box.get("fill-opacity") == "0.50"


def test_texts_are_escaped():
    evil = '<script>"&'
    chart = Chart(evil, linear(evil, [0, 1]), names("", [evil]))
    chart.points([0.5], [0], "found", tips=[evil], shape="diamond")
    chart.line([0, 1], [0, 0], "s0", tip=evil)
    chart.keys([(evil, "s0")])
    assert "<script" not in chart.markup()
    assert chart.markup().count("&lt;script&gt;") >= 6


def test_a_long_name_keeps_its_end_and_tells_the_rest():
    name = "sd_darts/a_space/a_long_name_of_an_arm/seed_3"
    chart = Chart("", linear("", [0, 1]), names("", [name]))
    (label,) = [text for text in marks(chart, "text") if text.text and text.text.startswith("…")]
    assert label.text.endswith("/seed_3")
    assert [title.text for title in label] == [name]


def test_more_rows_are_higher():
    assert rows_size(20)[1] > rows_size(5)[1] > 0


@pytest.mark.parametrize(
    "shape", ["circle", "diamond", "square", "triangle", "triangle-down", "line", "area"]
)
def test_every_shape_has_its_picture(shape):
    (mark,) = ET.fromstring(swatch(shape, "found"))
    assert "found" in mark.get("class")
