"""The outcome of a fault."""

from dataclasses import dataclass
from pathlib import Path
from random import Random

from faults.search import Search, SurvivalError


@dataclass(frozen=True, slots=True)
class Outcome:
    """How searches got over a fault.

    Attributes:
        injected: How often the fault came.
        survived: After how many of them the ranking was that of the undisturbed search, byte for byte.
        seconds_lost: Work that was destroyed and had to be done again; None where that is not known.
    """

    injected: int
    survived: int
    seconds_lost: float | None

    def __add__(self, other: "Outcome") -> "Outcome":
        """Both together."""
        seconds = [one.seconds_lost for one in (self, other) if one.seconds_lost is not None]
        return Outcome(self.injected + other.injected, self.survived + other.survived, sum(seconds))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fault is tried, and by what.

    Attributes:
        folder: A folder of its own.
        undisturbed: The ranking's file of a search that nothing disturbed.
        features: A run in which only teacher and features are there, to begin with.
        finished: A finished run, to begin with.
        rng: Draws moments and places.
    """

    folder: Path
    undisturbed: bytes
    features: Path
    finished: Path
    rng: Random

    def check(self, search: Search) -> None:
        """Hold a finished search to the undisturbed one.

        Raises:
            SurvivalError: Its ranking is another.
        """
        if search.ranking != self.undisturbed:
            raise SurvivalError(f"the ranking in {search.run} is not that of the undisturbed search")
