"""Reading what a run keeps as JSON: whole, of the shape that it was written in, or with a clear error."""

import json
from pathlib import Path
from typing import Any


def read_object(path: Path, *names: str) -> dict[str, Any] | None:
    """The JSON object in a file, or None where there is no file, or null in it.

    Args:
        path: The file.
        names: What the object must have.

    Raises:
        ValueError: It is no object, lacks a name, or is not JSON.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise damaged(path, str(error)) from error
    if content is None:
        return None
    if not isinstance(content, dict):
        raise damaged(path, "it holds no object")
    missing = [name for name in names if name not in content]
    if missing:
        raise damaged(path, f"it has no {missing[0]}")
    return content


def damaged(path: Path, reason: str) -> ValueError:
    """The error that says of a file that it is not what a run left."""
    return ValueError(
        f"{path} must be a whole file, but reading it failed ({reason}): remove it and run the search's command again"
    )
