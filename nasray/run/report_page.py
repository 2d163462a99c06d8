"""The report page of a run, with what the run's methods show of their own."""

from pathlib import Path

from nasray.search_spaces.artefacts.run_files import RunFiles
from nasray.search_spaces.names.attribute import load_attribute
from nasray.settings.methods import declared


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
    names = [search["method"] for one in (loaded, *loaded.parts) for search in one.config["searches"]]
    methods = [declared(name) for name in dict.fromkeys(names)]
    whole, own = (
        [load_attribute(one.section) for one in methods if one.section and one.runs_searches == runs_searches]
        for runs_searches in (True, False)
    )
    return write_report(path, output, first=whole, more=own)


def leave_report(folder: RunFiles) -> None:
    """Write the run's report page anew."""
    report(folder.path)
