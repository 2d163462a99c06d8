"""The report page that commands leave when they end."""

from nasray.run.folder import RunFolder


def leave_report(folder: RunFolder) -> None:
    """Write the run's report page anew."""
    from nasray.analysis.report import write_report  # noqa: PLC0415  (drawing is not waited for before anything runs)

    write_report(folder.path)
