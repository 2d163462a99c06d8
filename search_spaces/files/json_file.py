"""Reading what a run keeps as JSON: whole, of the shape that it was written in, or with a clear error."""

import json
from pathlib import Path
from typing import Any

from nasray.errors import UserError

_SEARCH_AGAIN = "run the search's command again"


def read_object(
    path: Path, *names: str, or_null: bool = False, again: str = _SEARCH_AGAIN
) -> dict[str, Any] | None:
    """The JSON object in a file, or None where there is no file.

    Args:
        path: The file.
        names: What the object must have.
        or_null: Whether the file may hold null instead, which gives None.
        again: What writes it anew, for the error.

    Raises:
        UserError: It is no object, lacks a name, or is not JSON.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise damaged(path, str(error), again) from error
    if content is None and or_null:
        return None
    if not isinstance(content, dict):
        raise damaged(path, "it holds no object", again)
    missing = [name for name in names if name not in content]
    if missing:
        raise damaged(path, f"it has no {missing[0]}", again)
    return content


def damaged(path: Path, reason: str, again: str = _SEARCH_AGAIN) -> UserError:
    """The error that says of a file that it is not what a run left."""
    return UserError(f"{path} must be a whole file, but reading it failed ({reason}): remove it and {again}")
