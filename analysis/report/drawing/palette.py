"""The look of marks: colours that the colour-blind tell apart, and strokes."""

from typing import Any

NUM_COLOURS = 8  # of series that have no role of their own
_SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4a4f57", "#8b6d2e")
_INK, _RULE = "#1c1f23", "#9aa1aa"
_LOOKS: dict[str, dict[str, Any]] = {
    **{f"s{number}": {"color": colour} for number, colour in enumerate(_SERIES)},
    "all": {"color": "#c6ccd4"},
    "ranked": {"color": "#0072b2"},
    "front": {"color": _INK},
    "found": {"color": "#d55e00"},
    "trained": {"color": "#009e73"},
    "reference": {"color": "#7d8590"},
    "error": {"color": "#b4bac3"},
    "whisker": {"color": _RULE},
    "median": {"color": _INK, "linewidth": 2.0},
    "zero": {"color": _RULE, "linewidth": 1.0, "linestyle": (0, (2, 3))},
    "bold": {"linewidth": 2.6},
    "thin": {"linewidth": 1.0, "alpha": 0.55},
    "dashed": {"linestyle": (0, (3.5, 2.8))},
    "clear": {"alpha": 0.65},
    "faint": {"alpha": 0.13},
}
TITLE: dict[str, Any] = {"color": _INK, "fontsize": 13, "fontweight": "bold"}


def look(role: str) -> dict[str, Any]:
    """The properties of matplotlib's artists for a role: a word for what a mark is, then any that vary it."""
    return {name: value for word in role.split() for name, value in _LOOKS[word].items()}


def series_role(number: int) -> str:
    """The role of a series; beyond the last colour they come again, dashed."""
    return f"s{number % NUM_COLOURS}{' dashed' if number >= NUM_COLOURS else ''}"
