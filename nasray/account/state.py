"""The folder of this account's own notes, which outlive a command."""

import os
from pathlib import Path


def state_folder() -> Path:
    """The folder; it need not be there yet.

    Raises:
        RuntimeError: The account has no home folder.
    """
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "nasray"
