"""The criteria that a ranking may be made by."""

from typing import Final, Literal

Criterion = Literal["score", "swap_in"]
BY_SCORE: Final = "score"
BY_SWAP_IN: Final = "swap_in"
BY_CALIBRATED: Final = "calibrated"
