"""nasray: block-wise neural architecture search on Ray Tune that ranks all architectures exactly."""

from typing import Any

__all__ = ["search"]


def __getattr__(name: str) -> Any:
    """`nasray.search`, imported on first use, so that commands without Ray and torch start at once."""
    if name == "search":
        from nasray.experiment import search  # noqa: PLC0415

        return search
    raise AttributeError(f"module 'nasray' has no attribute {name!r}")
