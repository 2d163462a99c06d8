"""Tracebacks that a user is not shown, in files that are named instead."""

import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from nasray.account.state import state_folder


def leave_traceback(error: BaseException) -> Path:
    """Write an error's traceback to a file of its own: among this account's notes, or the system's temporary files."""
    name = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}_{type(error).__name__}_"
    text = "".join(traceback.format_exception(error))
    try:
        folder = state_folder() / "faults"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _write(text, name, folder)
    except (OSError, RuntimeError):  # no home, or one that cannot be written
        return _write(text, f"nasray_{name}", None)


def _write(text: str, name: str, folder: Path | None) -> Path:
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix=name, suffix=".txt", dir=folder, delete=False
    ) as file:
        file.write(text)
    return Path(file.name)
