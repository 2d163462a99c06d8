"""Colours of series that have no role of their own."""

NUM_COLOURS = 8  # of the style sheet, told apart by the colour-blind


def series_role(number: int) -> str:
    """The class of a series; beyond the last colour they come again, dashed."""
    return f"s{number % NUM_COLOURS}{' dashed' if number >= NUM_COLOURS else ''}"
