"""The last half-sentence of an error about an unknown name."""

import difflib
from collections.abc import Iterable


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """A hint at the known name most like `given`, as in "; did you mean 'conv3'?"; empty if there is none."""
    near = difflib.get_close_matches(given, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
