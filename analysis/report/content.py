"""The parts of a report's section: texts, tables, charts."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from nasray.analysis.report.drawing.chart import Chart


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a legend.

    Attributes:
        text: What the mark stands for.
        role: What the mark is, in words of the palette.
        shape: "circle", "diamond", "square", "triangle", "triangle-down", "line" or "area".
    """

    text: str
    role: str
    shape: str = "circle"


@dataclass(frozen=True, slots=True)
class Figure:
    """Charts that belong together, in a grid.

    Attributes:
        title: Heading.
        caption: What is seen and how to read it.
        charts: The charts.
        legend: What the marks of all charts stand for.
        is_wide: Whether the charts need half of the page's width each instead of a third.
    """

    title: str
    caption: str
    charts: Sequence[Chart]
    legend: Sequence[Key] = ()
    is_wide: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        heading: Its heading.
        hint: What it means.
        role: "number", "text" or "architecture": how its cells are set.
    """

    heading: str
    hint: str
    role: str = "number"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: What it shows.
        order: What the table is sorted by, NaN where nothing is known; None: by the text.
    """

    text: str | Markup
    order: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table, sorted by a click on a heading.

    Attributes:
        title: Heading.
        caption: What is seen and how to read it.
        columns: What stands above.
        rows: As many cells each as there are columns.
        starts: Numbers of the rows that begin a new group.
    """

    title: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    starts: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the report.

    Attributes:
        id: Its anchor in the page.
        title: Its heading.
        lead: What it is about, in a sentence or two.
        parts: Tables and figures in their order.
        conclusion: What it adds to the page's head, in a sentence or two; empty: nothing.
    """

    id: str
    title: str
    lead: str
    parts: Sequence[Table | Figure] = field(default_factory=tuple)
    conclusion: str = ""


def breakable(architecture: str) -> Markup:
    """The text of an architecture, which may be broken behind what separates its parts."""
    return Markup("/<wbr>").join(Markup("|+<wbr>").join(part.split("|+")) for part in architecture.split("/"))
