"""A run's results as one page of HTML."""

from nasray.analysis.report.page import write_report

__all__ = ["write_report"]
