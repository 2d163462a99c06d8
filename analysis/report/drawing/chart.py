"""A chart: marks on two axes, drawn by matplotlib, each with a text that shows when it is pointed at."""

from collections.abc import Sequence
from itertools import compress, count
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from nasray.analysis.report.drawing.axis import Axis
from nasray.analysis.report.drawing.palette import TITLE, look
from nasray.analysis.report.drawing.picture import STYLE, picture

SMALL, MEDIUM = (380, 280), (560, 330)
_ROW, _ROWS_WIDTH = 22, 460  # height of a row of a chart with names, and how wide one is that stands alone
_LARGEST_SCALE = 1.12  # so that all charts have letters of about one size
_RIGHT, _BOTTOM, _MOST_LEFT = 14, 42, 0.6  # free space at the sides; the last as a share of the width
_HEADING, _LINE = 12, 17  # free space at the top, and height of each line of text there
_MARKERS = {"circle": "o", "diamond": "D", "square": "s", "triangle": "^", "triangle-down": "v"}
_SIZES = {"triangle": 2.7, "triangle-down": 2.7}  # in radii, 2 for others, so that all look as large


class Chart:
    """A chart that marks are put on, in the order in which they cover each other.

    Args:
        title: Stands above the chart.
        x: The horizontal axis.
        y: The vertical axis.
        size: Width and height, in pixels at the scale of the page.
    """

    def __init__(self, title: str, x: Axis, y: Axis, size: tuple[int, int] = SMALL) -> None:
        self._label = f"{title}: {x.label} against {y.label}".strip(": ")
        self._width, self._height = size
        self._tips: dict[str, Sequence[str]] = {}
        self._order = count(3)  # above the axes' own lines
        with mpl.rc_context(STYLE):
            self._figure = Figure((size[0] / 72, size[1] / 72))
            self._axes = self._figure.add_subplot()
            x.put_on(self._axes, "x")
            y.put_on(self._axes, "y")
            self._arrange(title, x, y)

    def keys(self, entries: Sequence[tuple[str, str]]) -> None:
        """Texts with the colours of their roles, in the line of the title, at its right."""
        handles = [Patch(label=text, linewidth=0, **look(role)) for text, role in entries]
        corner = (1 - _RIGHT / self._width, 1)
        with mpl.rc_context(STYLE):
            self._figure.legend(handles=handles, loc="upper right", bbox_to_anchor=corner, ncols=len(handles))

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
        shown = list(compress(tips, _have_place(xs, ys)))
        self._plot(xs, ys, shown, **look(role) | _marker(shape, radius), clip_on=False)

    def line(self, xs: Sequence[float], ys: Sequence[float], role: str, *, tip: str = "") -> None:
        """A line through all pairs that are finite."""
        self._plot(xs, ys, [tip], **{"linewidth": 1.6, "solid_capstyle": "butt"} | look(role))

    def across(self, y: float, role: str, *, tip: str = "") -> None:
        """A line over the whole width at the value `y`."""
        self.line(self._axes.get_xlim(), (y, y), role, tip=tip)

    def along(self, x: float, role: str, *, tip: str = "") -> None:
        """A line over the whole height at the value `x`."""
        self.line((x, x), self._axes.get_ylim(), role, tip=tip)

    def band(self, xs: Sequence[float], lows: Sequence[float], highs: Sequence[float], role: str) -> None:
        """The area between two lines."""
        self._axes.fill_between(
            xs, lows, highs, linewidth=0, zorder=next(self._order), **look(f"{role} faint")
        )

    def box(self, x: tuple[float, float], y: tuple[float, float], role: str, *, tip: str = "") -> None:
        """A filled rectangle between two values of each axis; what lies outside of the axes is cut off."""
        sides = (x[0], y[0]), x[1] - x[0], y[1] - y[0]
        box = Rectangle(*sides, linewidth=0, zorder=next(self._order), **look(role))
        self._tell(self._axes.add_patch(box), [tip])

    def density(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        """Hexagons, the darker the more pairs lie in them."""
        cells = self._axes.hexbin(
            xs,
            ys,
            gridsize=(70, 20),  # about regular, for the ratio of the sides
            extent=(*self._axes.get_xlim(), *self._axes.get_ylim()),
            bins="log",
            mincnt=1,
            vmin=0.1,  # so that one pair can be seen
            cmap="Blues",
            linewidths=0.3,  # closes the gaps that smoothing leaves
            zorder=next(self._order),
            clip_on=False,
        )
        self._tell(cells, [f"{number:,.0f} here" for number in np.asarray(cells.get_array(), float)])

    def markup(self, salt: str = "") -> Markup:
        """The picture, to stand in a page as it is; `salt` differs from that of the page's other pictures."""
        style = f"max-width: {_LARGEST_SCALE * self._width:.0f}px"
        attributes = {"style": style, "role": "img", "aria-label": self._label}
        return picture(self._figure, salt, attributes, self._tips)

    def _arrange(self, title: str, x: Axis, y: Axis) -> None:
        """Write the texts around the axes, and leave the room that they need."""
        width, height, top = self._width, self._height, _HEADING
        for text, style in ((title, TITLE), (y.label, {})):
            if text:
                self._figure.text(0, 1 - (top + 3) / height, text, **style)
                top += _LINE
        right = 1 - _RIGHT / width
        self._figure.text(right, 6 / height, x.label, horizontalalignment="right")
        labels = self._axes.get_yticklabels()
        longest = max((label.get_window_extent().width for label in labels), default=0.0)
        left = min((9 + longest) / width, _MOST_LEFT)
        self._figure.subplots_adjust(left, _BOTTOM / height, right, 1 - top / height)
        for label, name in zip(labels, y.names, strict=False):
            self._tell(label, [name if name != label.get_text() else ""])

    def _plot(self, xs: Sequence[float], ys: Sequence[float], tips: Sequence[str], **looks: Any) -> None:
        shown = _have_place(xs, ys)
        places = (list(compress(xs, shown)), list(compress(ys, shown)))
        (artist,) = self._axes.plot(*places, zorder=next(self._order), **looks)
        self._tell(artist, tips)

    def _tell(self, artist: Artist, tips: Sequence[str]) -> None:
        """Give an artist's marks the texts that show when they are pointed at."""
        if any(tips):
            artist.set_gid(f"tips-{len(self._tips)}")
            self._tips[f"tips-{len(self._tips)}"] = tips


def rows_size(num_rows: int, width: int = _ROWS_WIDTH) -> tuple[int, int]:
    """The size of a chart whose vertical axis has so many names."""
    return width, _HEADING + _LINE + _BOTTOM + _ROW * max(2, num_rows)


def swatch(shape: str, role: str, salt: str = "") -> Markup:
    """The mark of a legend's entry as a picture of its own."""
    mark: Artist
    if shape == "area":
        mark = Rectangle((0.05, 0.15), 0.9, 0.7, linewidth=0, **look(role))
    elif shape == "line":
        mark = Line2D([0, 1], [0.5, 0.5], **{"linewidth": 1.6} | look(role))
    else:
        mark = Line2D([0.5], [0.5], **look(role) | _marker(shape, 4.0))
    with mpl.rc_context(STYLE):
        figure = Figure((18 / 72, 14 / 72))
    figure.add_artist(mark)
    return picture(figure, salt, {"class": "swatch", "aria-hidden": "true"}, {})


def _marker(shape: str, radius: float) -> dict[str, Any]:
    size = _SIZES.get(shape, 2) * radius
    return {"marker": _MARKERS[shape], "markersize": size, "markeredgewidth": 0, "linestyle": "none"}


def _have_place(xs: Sequence[float], ys: Sequence[float]) -> np.ndarray:
    return np.isfinite(np.add(xs, ys))
