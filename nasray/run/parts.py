"""Runs that are made of several searches: which these are, and what commands say that want one."""

from collections.abc import Sequence
from pathlib import Path

from nasray.errors import UserError
from nasray.search_spaces.artefacts.run_files import RunFiles
from nasray.search_spaces.files.atomic_file import write_json
from nasray.search_spaces.files.json_file import read_object


def leave_parts(folder: RunFiles, parts: Sequence[str]) -> None:
    """Say which searches a run is made of, by the names of their folders below its own."""
    write_json(folder.parts, {"parts": list(parts)})


def refuse_several(run: Path) -> None:
    """Hold RUN to a folder of one search.

    Raises:
        UserError: It is made of several.
    """
    found = read_object(RunFiles(run).parts, "parts")
    if found is not None:
        parts = found["parts"]
        raise UserError(
            f"RUN must be one search, but {run} holds {len(parts)} of them: give one of these, such as {run / parts[0]}"
        )
