"""The last table of a benchmark: each figure beside a peer's or a limit, and whether its aim is met.

A script tells of its figures with `tell`; `everything.py` runs many scripts, and names by `NASRAY_VERDICTS` a file in
which it finds what they told.
"""

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path

PLACE = "NASRAY_VERDICTS"


@dataclass(frozen=True)
class Verdict:
    """One figure and its aim.

    Attributes:
        what: What was measured.
        ours: Our figure, with its unit.
        other: That of the peer, or the limit, with whose it is.
        ratio: What the aim is about: of these two, unless `what` says otherwise.
        at_most: The largest ratio that meets the aim; None: there is no such aim.
        at_least: The smallest.
    """

    what: str
    ours: str
    other: str
    ratio: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def aim(self) -> str:
        """The aim as a text; empty where there is none."""
        if self.at_most is not None:
            return f"<= {self.at_most:g}"
        return "" if self.at_least is None else f">= {self.at_least:g}"

    @property
    def met(self) -> str:
        """Whether the aim is met, as a text; empty where there is none."""
        if not self.aim:
            return ""
        low, high = self.at_least or float("-inf"), self.at_most or float("inf")
        return "yes" if low <= self.ratio <= high else "no"


def tell(verdict: Verdict) -> None:
    """Leave a figure for the table of all, where one is made."""
    place = os.environ.get(PLACE)
    if place:
        with Path(place).open("a", encoding="utf-8") as file:
            file.write(json.dumps(dataclasses.asdict(verdict)) + "\n")


def told(place: Path) -> list[Verdict]:
    """What was told so far."""
    return [Verdict(**json.loads(line)) for line in place.read_text(encoding="utf-8").splitlines()]
