"""The folder in which this account's programs keep what can be made anew."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Nasray's own part of it; it need not be there yet.

    Raises:
        RuntimeError: The account has no home folder.
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nasray"
