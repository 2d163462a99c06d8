"""The report page of a run, with what the run's methods show of their own."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nasray.account.trust import check_methods_trusted
from nasray.errors import UserError
from nasray.search_spaces.artefacts.run_files import RunFiles
from nasray.search_spaces.names.attribute import load_attribute
from nasray.settings.methods import Declaration, declared

if TYPE_CHECKING:
    from nasray.analysis.runs.run import Run


def report(run: Path, output: Path | None = None) -> Path:
    """Write the report of a run as one HTML file, and give its path.

    It has a section for each part that the run has: a run that is not finished has fewer. The same run gives the same
    bytes.

    Args:
        run: The run's folder.
        output: Where to write it; None: `report.html` in the run's folder.

    Raises:
        UserError: The folder is not a run's, or one of its files is damaged.
    """
    # Drawing is not waited for before anything runs.
    from nasray.analysis.report import write_report  # noqa: PLC0415
    from nasray.analysis.runs.run import load_run  # noqa: PLC0415

    path = Path(run)
    loaded = load_run(path)
    methods = [one for run in (loaded, *loaded.parts) for one in _declarations(run)]
    whole, own = (
        [
            load_attribute(section)
            for section in dict.fromkeys(one.section for one in methods if one.runs_searches == runs_searches)
            if section
        ]
        for runs_searches in (True, False)
    )
    return write_report(path, output, first=whole, more=own)


def _declarations(run: "Run") -> Iterator[Declaration]:
    """Declarations of a run's methods, but of a user's own that cannot be imported here or are not trusted."""
    for search in run.config["searches"]:
        try:
            check_methods_trusted(run.files.config)
            yield declared(search["method"])
        except UserError:
            continue


def leave_report(folder: RunFiles) -> None:
    """Write the run's report page anew."""
    report(folder.path)
