"""One chart as a picture within the page (SVG): marks on two axes, each with a text that shows when it is pointed at.

Colours, strokes and type are the style sheet's: a mark says only what it is (its role), and whatever text it is given
is escaped by the writer of XML.
"""

import math
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

from markupsafe import Markup

from analysis.report.axis import Axis

SMALL, MEDIUM = (380, 280), (560, 330)
_ROW, _ROWS_WIDTH = 22, 460  # height of a row of a chart with names, and how wide one is that stands alone
_LARGEST_SCALE = 1.12  # so that all charts have letters of about one size
_LETTER = 6.1  # width of an average letter of a tick, in the picture's units
_RIGHT, _BOTTOM, _LONGEST_NAME = 14, 42, 27
_HEADING, _LINE = 12, 17  # free space at the top, and height of each line of text there
_SHAPES = {
    "diamond": "M0,-{0}L{0},0L0,{0}L-{0},0Z",
    "square": "M-{1},-{1}H{1}V{1}H-{1}Z",
    "triangle": "M0,-{0}L{0},{1}L-{0},{1}Z",
    "triangle-down": "M0,{0}L{0},-{1}L-{0},-{1}Z",
}


class Chart:
    """A chart that marks are put on, in the order in which they cover each other.

    Args:
        title: Stands above the chart.
        x: The horizontal axis.
        y: The vertical axis.
        size: Width and height, in pixels at the scale of the page.
    """

    def __init__(self, title: str, x: Axis, y: Axis, size: tuple[int, int] = SMALL) -> None:
        self._x, self._y = x, y
        self._width, self._height = size
        longest = max([len(text) for _, text in y.ticks], default=0)
        self._left = 16 + _LETTER * min(longest, _LONGEST_NAME)
        self._svg = ET.Element(
            "svg",
            {
                "viewBox": f"0 0 {self._width} {self._height}",
                "style": f"max-width: {_LARGEST_SCALE * self._width:.0f}px",
                "role": "img",
                "aria-label": f"{title}: {x.label} against {y.label}".strip(": "),
            },
        )
        self._top = float(_HEADING)
        for text, role in ((title, "title"), (y.label, "label")):
            if text:
                self._text(0, self._top + 3, text, role)
                self._top += _LINE
        self._text(self._width - _RIGHT, self._height - 6, x.label, "label end")
        self._draw_ticks()

    def keys(self, entries: Sequence[tuple[str, str]]) -> None:
        """Texts with the colours of their roles, in the line of the title, at its right."""
        right = float(self._width - _RIGHT)
        for text, role in reversed(entries):
            self._text(right, 15, text, "label end")
            right -= _LETTER * len(text) + 14
            box = {"x": _px(right), "y": "6", "width": "9", "height": "9"}
            self._add("rect", f"bar {role}", box)
            right -= 10

    def points(
        self,
        xs: Sequence[float],
        ys: Sequence[float],
        role: str,
        *,
        tips: Sequence[str] = (),
        shape: str = "circle",
        radius: float = 3.5,
    ) -> None:
        """A mark at each pair; pairs that are not finite are left out."""
        for number, (x, y) in enumerate(zip(xs, ys, strict=True)):
            left, top = self._across(x), self._down(y)
            if not math.isfinite(left + top):
                continue
            if shape == "circle":
                attributes = {"cx": _px(left), "cy": _px(top), "r": _px(radius)}
                mark = self._add("circle", f"dot {role}", attributes)
            else:
                path = _SHAPES[shape].format(_px(1.35 * radius), _px(radius))
                attributes = {"d": path, "transform": f"translate({_px(left)} {_px(top)})"}
                mark = self._add("path", f"dot {role}", attributes)
            _tell(mark, tips[number] if tips else "")

    def line(self, xs: Sequence[float], ys: Sequence[float], role: str, *, tip: str = "") -> None:
        """A line through all pairs that are finite."""
        pairs = list(self._pairs(xs, ys))
        if pairs:
            _tell(self._add("polyline", f"line {role}", {"points": " ".join(pairs)}), tip)

    def band(self, xs: Sequence[float], lows: Sequence[float], highs: Sequence[float], role: str) -> None:
        """The area between two lines."""
        pairs = [*self._pairs(xs, lows), *reversed(list(self._pairs(xs, highs)))]
        if pairs:
            self._add("polygon", f"band {role}", {"points": " ".join(pairs)})

    def box(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        role: str,
        *,
        tip: str = "",
        opacity: float = 1.0,
    ) -> None:
        """A filled rectangle between two values of each axis; what lies outside of the axes is cut off."""
        lefts = sorted(self._across(self._x.nearest(value)) for value in x)
        tops = sorted(self._down(self._y.nearest(value)) for value in y)
        attributes = {
            "x": _px(lefts[0]),
            "y": _px(tops[0]),
            "width": _px(lefts[1] - lefts[0]),
            "height": _px(tops[1] - tops[0]),
        }
        if opacity < 1:
            attributes["fill-opacity"] = f"{opacity:.2f}"
        _tell(self._add("rect", f"bar {role}", attributes), tip)

    def segment(self, x: tuple[float, float], y: tuple[float, float], role: str, *, tip: str = "") -> None:
        """A straight stroke."""
        (x1, x2), (y1, y2) = map(self._across, x), map(self._down, y)
        if math.isfinite(x1 + x2 + y1 + y2):
            attributes = {"x1": _px(x1), "x2": _px(x2), "y1": _px(y1), "y2": _px(y2)}
            _tell(self._add("line", f"stroke {role}", attributes), tip)

    def across(self, y: float, role: str, *, tip: str = "") -> None:
        """A stroke over the whole width at the value `y`."""
        self.segment((self._x.low, self._x.high), (y, y), role, tip=tip)

    def along(self, x: float, role: str, *, tip: str = "") -> None:
        """A stroke over the whole height at the value `x`."""
        self.segment((x, x), (self._y.low, self._y.high), role, tip=tip)

    def markup(self) -> Markup:
        """The picture, to stand in a page as it is."""
        return Markup(ET.tostring(self._svg, encoding="unicode"))

    def _draw_ticks(self) -> None:
        bottom = self._height - _BOTTOM
        for value, text in self._y.ticks:
            top = self._down(value)
            edge = {"x1": _px(self._left), "x2": _px(self._width - _RIGHT), "y1": _px(top), "y2": _px(top)}
            self._add("line", "grid", edge)
            shown = text if len(text) <= _LONGEST_NAME else "…" + text[1 - _LONGEST_NAME :]
            self._text(self._left - 7, top + 4, shown, "tick end", tip=text if shown != text else "")
        for value, text in self._x.ticks:
            left = self._across(value)
            self._add(
                "line", "notch", {"x1": _px(left), "x2": _px(left), "y1": _px(bottom), "y2": _px(bottom + 4)}
            )
            self._text(left, bottom + 17, text, "tick middle")
        self._add(
            "line",
            "base",
            {"x1": _px(self._left), "x2": _px(self._width - _RIGHT), "y1": _px(bottom), "y2": _px(bottom)},
        )

    def _across(self, value: float) -> float:
        return self._left + self._x.share(value) * (self._width - _RIGHT - self._left)

    def _down(self, value: float) -> float:
        bottom = self._height - _BOTTOM
        return bottom - self._y.share(value) * (bottom - self._top)

    def _pairs(self, xs: Sequence[float], ys: Sequence[float]) -> Iterator[str]:
        for x, y in zip(xs, ys, strict=True):
            left, top = self._across(x), self._down(y)
            if math.isfinite(left + top):
                yield f"{_px(left)},{_px(top)}"

    def _text(self, x: float, y: float, text: str, role: str, *, tip: str = "") -> None:
        element = self._add("text", role, {"x": _px(x), "y": _px(y)})
        element.text = text
        _tell(element, tip)

    def _add(self, tag: str, role: str, attributes: dict[str, str]) -> ET.Element:
        return ET.SubElement(self._svg, tag, {"class": role, **attributes})


def rows_size(num_rows: int, width: int = _ROWS_WIDTH) -> tuple[int, int]:
    """The size of a chart whose vertical axis has so many names."""
    return width, _HEADING + _LINE + _BOTTOM + _ROW * max(2, num_rows)


def swatch(shape: str, role: str) -> Markup:
    """The mark of a legend's entry as a picture of its own."""
    svg = ET.Element("svg", {"class": "swatch", "viewBox": "-9 -7 18 14", "aria-hidden": "true"})
    if shape == "line":
        ET.SubElement(svg, "line", {"class": f"stroke {role}", "x1": "-9", "x2": "9", "y1": "0", "y2": "0"})
    elif shape == "area":
        box = {"x": "-8", "y": "-5", "width": "16", "height": "10"}
        ET.SubElement(svg, "rect", {"class": f"bar {role}", **box})
    elif shape == "circle":
        ET.SubElement(svg, "circle", {"class": f"dot {role}", "r": "4"})
    else:
        ET.SubElement(svg, "path", {"class": f"dot {role}", "d": _SHAPES[shape].format("5.4", "4")})
    return Markup(ET.tostring(svg, encoding="unicode"))


def _tell(mark: ET.Element, tip: str) -> None:
    """Give a mark the text that shows when it is pointed at."""
    if tip:
        ET.SubElement(mark, "title").text = tip


def _px(value: float) -> str:
    """A length in a tenth of a pixel, without a needless point."""
    return f"{value:.1f}".removesuffix(".0")
