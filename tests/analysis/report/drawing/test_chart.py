import re
from xml.etree import ElementTree as ET

import pytest

from nasray.analysis.report.drawing.axis import linear, names
from nasray.analysis.report.drawing.chart import SMALL, Chart, rows_size, swatch
from nasray.analysis.report.drawing.palette import look

X, Y, WIDTH, HEIGHT = "x", "y", *SMALL


@pytest.fixture
def chart():
    return Chart("Title", linear("x", [0, 10], low=0), linear("y", [0, 1]))


def marks(chart):
    """The marks that tell something: what they tell, and where they stand or what line goes around them."""
    svg = ET.fromstring(chart.markup())
    return [
        (parent.findtext("title"), parent if parent.tag == "use" else parent.find("path"))
        for parent in svg.iter()
        if parent.find("title") is not None
    ]


def corners(path):
    return [tuple(map(float, pair)) for pair in re.findall(r"[ML] (\S+) (\S+)", path.get("d"))]


def test_points_without_a_place_are_left_out(chart):
    nowhere = float("nan")
    chart.points([nowhere, 1, 3, float("inf")], [0.5, 0.5, nowhere, 0.5], "ranked", tips=list("abcd"))
    chart.points([], [], "ranked", tips=[])
    assert [tip for tip, _ in marks(chart)] == ["b"]


def test_what_is_more_stands_right_and_up(chart):
    chart.points([1, 9], [0.1, 0.9], "ranked", tips=["less", "more"])
    (_, less), (_, more) = marks(chart)
    assert 0 < float(less.get("x")) < float(more.get("x")) < WIDTH
    assert 0 < float(more.get("y")) < float(less.get("y")) < HEIGHT


def test_a_line_goes_through_what_has_a_place(chart):
    chart.line([0, 5, 10], [0, float("nan"), 1], "s0", tip="a line")
    chart.line([float("nan")] * 2, [0, 1], "s0", tip="none")
    ((_, line), (_, none)) = marks(chart)
    assert len(corners(line)) == 2
    assert none is None


def test_strokes_lead_from_end_to_end(chart):
    chart.across(0.5, "zero", tip="across")
    chart.along(5, "zero", tip="along")
    (_, across), (_, along) = marks(chart)
    (left, first), (right, second) = corners(across)
    assert first == second
    assert 0 < left < right < WIDTH
    (one, bottom), (other, top) = corners(along)
    assert one == other
    assert 0 < top < bottom < HEIGHT


def test_a_box_is_cut_at_the_axes(chart):
    chart.box((-100, 100), (-100, 100), "all", tip="large")
    ((_, box),) = marks(chart)
    name = re.fullmatch(r"url\(#(.+)\)", box.get("clip-path"))[1]
    (rectangle,) = [cut[0] for cut in ET.fromstring(chart.markup()).iter("clipPath") if cut.get("id") == name]
    x, y, width, height = (float(rectangle.get(side)) for side in ("x", "y", "width", "height"))
    assert 0 < x < x + width < WIDTH
    assert 0 < y < y + height < HEIGHT


def test_what_comes_later_covers_what_was_before(chart):
    chart.line([0, 10], [0, 1], "s0", tip="first")
    chart.points([5], [0.5], "found", tips=["second"])
    chart.box((2, 8), (0.2, 0.8), "all", tip="third")
    assert [tip for tip, _ in marks(chart)] == ["first", "second", "third"]


def test_texts_are_escaped_and_shown_as_they_are():
    evil = '<script>"&$x^2$'
    chart = Chart(evil, linear(evil, [0, 1]), names("", [evil]))
    chart.points([0.5], [0], "found", tips=[evil], shape="diamond")
    chart.line([0, 1], [0, 0], "s0", tip=evil)
    chart.keys([(evil, "s0")])
    assert "<script" not in chart.markup()
    texts = [element.text for element in ET.fromstring(chart.markup()).iter() if element.text == evil]
    assert len(texts) == 6
    assert chart.markup().count("font-size") >= 4


def test_a_long_name_keeps_its_end_and_tells_the_rest():
    name = "sd_darts/a_space/a_long_name_of_an_arm/seed_3"
    svg = ET.fromstring(Chart("", linear("", [0, 1]), names("", ["short", name])).markup())
    ((label, told),) = [
        (group.findtext("text"), group.findtext("title"))
        for group in svg.iter("g")
        if group.find("title") is not None
    ]
    assert label.startswith("…")
    assert label.endswith("/seed_3")
    assert told == name


def test_names_have_the_room_that_they_need():
    def left(name):
        svg = ET.fromstring(Chart("", linear("", [0, 1]), names("", [name])).markup())
        return next(float(text.get("x")) for text in svg.iter("text") if text.text == name)

    assert left("iiiiiiiiii") < left("mmmmmmmmmm")
    assert left(27 * "m") < 0.6 * WIDTH


def test_pictures_of_a_page_share_no_ids_and_are_the_same_each_time(chart):
    chart.points([1, 9], [0.1, 0.9], "ranked")
    chart.line([0, 10], [0, 1], "s0")

    def ids(page):
        return set(re.findall(r' id="([^"]+)"', page))

    first, second = chart.markup("1"), chart.markup("2")
    assert len(ids(first)) >= 2
    assert not ids(first) & ids(second)
    assert ids(first) >= set(re.findall(r"#([a-zA-Z]\w+)", re.sub(r"#[0-9a-f]{6}\b", "", first)))
    assert chart.markup("1") == first


def test_charts_scale_with_the_page_and_bring_nothing_along(chart):
    svg = ET.fromstring(chart.markup())
    assert svg.get("viewBox") == f"0 0 {WIDTH} {HEIGHT}"
    assert svg.get("width") is svg.get("height") is None
    assert svg.get("aria-label") == "Title: x against y"
    assert not re.search("http|<style|<metadata|xlink", chart.markup())


def test_more_rows_are_higher():
    assert rows_size(20)[1] > rows_size(5)[1] > 0


@pytest.mark.parametrize(
    "shape", ["circle", "diamond", "square", "triangle", "triangle-down", "line", "area"]
)
def test_every_shape_has_its_picture(shape):
    assert look("found")["color"] in swatch(shape, "found")
