"""An experiment from its config on: one search, several that are one, or a comparison."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from nasray.comparison.search import search_comparison
from nasray.errors import UserError
from nasray.methods.method import methods_of
from nasray.pipeline.search import search_in_stages
from nasray.pipeline.search_result import SearchResult
from nasray.settings.loading import load_config


def search(
    config: str | Path | Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
    *,
    stages: Sequence[str] | None = None,
    console: Console | None = None,
) -> SearchResult:
    """Search, from the teacher to the ranking of all architectures, and gather the evidence for it.

    What an earlier launch left is kept where it belongs to the same inputs, so that the same call after an
    interruption goes on.

    Args:
        config: A file, a shipped config's name, or plain data; None: the digits.
        overrides: Changes to it, as "a.b=value".
        stages: Which to run: "teacher", "features", those of the config's methods ("ratings", "sd_darts"), "ranking",
            "evidence"; what a stage needs is run with it. None: all that the config's searches have.
        console: Where to show what runs; None: nowhere.

    Raises:
        UserError: A mistake in the config, the data, or the run's folder.
        SearchFailedError: Units failed.
    """
    requested = load_config(config, overrides)
    shown = console or Console(quiet=True)
    if requested.comparison is not None:
        _check_no_stages(stages, "a comparison")
        return search_comparison(requested, shown)
    for settings, method in methods_of(requested):
        if method.declaration.runs_searches:
            _check_no_stages(stages, f"a search of the method {settings.method}")
            return method.run_searches(settings, requested, shown, search_in_stages)
    return search_in_stages(requested, stages, shown)


def _check_no_stages(stages: Sequence[str] | None, what: str) -> None:
    """Refuse stages of what is made of several searches.

    Raises:
        UserError: Some are asked for.
    """
    if stages is not None:
        raise UserError(
            f"stages must be left out for {what}, which runs as a whole, got {', '.join(stages)}: each search's folder "
            "has a config of its own, which may be searched in stages"
        )
