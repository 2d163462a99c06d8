"""The report: one page that holds a run's results and needs nothing else, neither files nor a network."""

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from nasray.analysis.report.content import Section
from nasray.analysis.report.drawing.chart import swatch
from nasray.analysis.report.sections import (
    baselines,
    block_ratings,
    comparison,
    cost_fronts,
    evidence,
    ranking_table,
    score_histogram,
    time_spent,
    training_curves,
)
from nasray.analysis.report.sections.head import conclusions, facts
from nasray.analysis.runs.run import Run, load_run
from nasray.search_spaces.files.atomic_file import write_text

REPORT = "report.html"
_HERE = Path(__file__).parent
Build = Callable[[Run], Section | None]
"""Makes a section of a run; None where the run has nothing to show in it."""

_RESULTS: tuple[Build, ...] = (
    comparison.section,
    ranking_table.section,
    evidence.section,
    baselines.section,
    cost_fronts.section,
    score_histogram.section,
    block_ratings.section,
)
_COURSE: tuple[Build, ...] = (training_curves.section, time_spent.section)


def write_report(
    run_path: Path, output: Path | None = None, *, first: Sequence[Build] = (), more: Sequence[Build] = ()
) -> Path:
    """Write the report of a run as one HTML file, and give its path.

    It has a section for each part that the run has: a run that is not finished has fewer. The same run gives the same
    bytes.

    Args:
        run_path: The run's folder.
        output: Where to write it; None: `report.html` in the run's folder.
        first: Sections to stand before all others.
        more: Further sections of results, such as a method's own.

    Raises:
        UserError: If the folder is not a run's, or one of its files is damaged.
    """
    run = load_run(run_path)
    builds = (*first, *_RESULTS, *more, *_COURSE)
    sections = [found for build in builds if (found := build(run)) is not None]
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("template.html.j2").render(
        title=run.name,
        facts=facts(run),
        conclusions=[*(one.conclusion for one in sections if one.conclusion), *conclusions(run)],
        sections=sections,
        swatch=swatch,
        new_id=map(str, count()).__next__,
        style=Markup(_own_text("style.css")),
        script=Markup(_own_text("page.js")),
    )
    path = Path(run_path) / REPORT if output is None else Path(output)
    write_text(path, page)
    return path


def _own_text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
