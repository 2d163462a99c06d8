"""The report: one page that holds a run's results and needs nothing else, neither files nor a network."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from nasray.analysis.report.content import Section
from nasray.analysis.report.drawing.chart import swatch
from nasray.analysis.report.sections import (
    baselines,
    block_ratings,
    cost_fronts,
    evidence,
    family,
    generations,
    ranking_table,
    score_histogram,
    sd_darts,
    time_spent,
    training_curves,
)
from nasray.analysis.report.sections.head import conclusions, facts
from nasray.analysis.runs.run import Run, load_run
from nasray.search_spaces.files.atomic_file import write_text

REPORT = "report.html"
_HERE = Path(__file__).parent
_SECTIONS: tuple[Callable[[Run], Section | None], ...] = (
    generations.section,
    family.section,
    ranking_table.section,
    evidence.section,
    baselines.section,
    cost_fronts.section,
    score_histogram.section,
    block_ratings.section,
    sd_darts.section,
    training_curves.section,
    time_spent.section,
)


def write_report(run_path: Path, output: Path | None = None) -> Path:
    """Write the report of a run as one HTML file, and give its path.

    It has a section for each part that the run has: a run that is not finished has fewer. The same run gives the same
    bytes.

    Args:
        run_path: The run's folder.
        output: Where to write it; None: `report.html` in the run's folder.

    Raises:
        UserError: If the folder is not a run's, or one of its files is damaged.
    """
    run = load_run(run_path)
    sections = [found for build in _SECTIONS if (found := build(run)) is not None]
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
        conclusions=conclusions(run),
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
