"""An experiment from its config on: one search, or several that are one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from nasray.family.search import search_family
from nasray.generations.search import search_generations
from nasray.pipeline.search_result import SearchResult
from nasray.pipeline.stages import search_in_stages
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
        stages: Which to run, of "teacher", "features", "ratings", "sd_darts", "ranking", "evidence"; what a stage needs
            is run with it. None: all that the config's searches have.
        console: Where to show what runs; None: nowhere.

    Raises:
        UserError: A mistake in the config, the data, or the run's folder.
        SearchFailedError: Units failed.
    """
    requested = load_config(config, overrides)
    run = search_in_stages
    if requested.family is not None:
        run = search_family
    elif requested.dna_plus is not None:
        run = search_generations
    return run(requested, stages, console or Console(quiet=True))
