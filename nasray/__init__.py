"""nasray: block-wise neural architecture search on Ray Tune that ranks all architectures exactly."""

import os
from pathlib import Path
from typing import Any

__all__ = ["search"]

try:
    Path.home()
except (
    RuntimeError
):  # an account that the system does not know: Ray, which asks for one, could not be imported
    os.environ["HOME"] = "/"


def __getattr__(name: str) -> Any:
    """`nasray.search`, imported on first use, so that commands without Ray and torch start at once."""
    if name == "search":
        from nasray.experiment import search  # noqa: PLC0415

        return search
    raise AttributeError(f"module 'nasray' has no attribute {name!r}")
