"""The figures that a unit of work reports, as its kind declares them before it runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

_OF_EVERY_EPOCH = frozenset({"seconds", "samples_per_second", "data_wait_share"})


@dataclass(frozen=True, slots=True)
class Reported:
    """Names of figures that are reported for certain.

    Those of the test images are not among them, since nothing may be chosen by these.

    Attributes:
        after_epochs: Those that every epoch of a training ends with.
        by_the_end: Those that some epoch ends with, or the unit itself.
    """

    after_epochs: frozenset[str] = frozenset()
    by_the_end: frozenset[str] = frozenset()

    @classmethod
    def of_training(cls, after_epochs: Iterable[str], by_the_end: Iterable[str] = ()) -> Self:
        """The figures of a training, with those that the epoch loop adds to each epoch's own."""
        always = _OF_EVERY_EPOCH.union(after_epochs)
        return cls(always, always.union(by_the_end))
