"""nasray: block-wise neural architecture search on Ray Tune that ranks all architectures exactly."""

import importlib
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

__version__ = version("nasray")
# Where each public name stands; it is imported on first use, so that what needs no Ray and torch starts at once.
_PUBLIC = {
    "SearchResult": "nasray.pipeline.search_result",
    "export": "nasray.exporting.export:export_network",
    "rank": "nasray.analysis.runs.rank:rank_run",
    "refine": "nasray.commands.refine",
    "report": "nasray.run.report_page",
    "retrain": "nasray.commands.retrain",
    "search": "nasray.experiment",
}
__all__ = ["SearchResult", "export", "rank", "refine", "report", "retrain", "search"]

try:
    Path.home()
except (
    RuntimeError
):  # an account that the system does not know: Ray, which asks for one, could not be imported
    os.environ["HOME"] = "/"


def __getattr__(name: str) -> Any:
    """A public name."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'nasray' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    return getattr(importlib.import_module(module), attribute or name)
