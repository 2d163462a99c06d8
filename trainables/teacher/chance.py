"""A test of whether a classifier is right more often than by chance."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

_SIGNIFICANCE = 1e-3
_POWER = 0.99


@dataclass(frozen=True, slots=True)
class Verdict:
    """How often a classifier was right, beside the one who always says the most frequent class.

    Source: the exact binomial test, one-sided, at a level of 1 in 1,000.

    Attributes:
        num_right: How many images it classified rightly.
        num_images: Of how many.
        chance: The share of the most frequent class, 0 to 1.
    """

    num_right: int
    num_images: int
    chance: float

    @property
    def by_chance(self) -> bool:
        """Whether it cannot be told from chance."""
        return bool(binom.sf(self.num_right - 1, self.num_images, self.chance) > _SIGNIFICANCE)

    @property
    def enough_images(self) -> bool:
        """Whether one half-way between chance and perfection would almost certainly be told from chance."""
        needed = binom.isf(_SIGNIFICANCE, self.num_images, self.chance)
        return bool(binom.sf(needed, self.num_images, (1 + self.chance) / 2) >= _POWER)

    def __str__(self) -> str:
        return (
            f"right on {self.num_right} of {self.num_images} held-out images, no more often than by chance "
            f"({self.chance:.1%} are of the most frequent class)"
        )


def verdict(num_right: int, labels: np.ndarray) -> Verdict:
    """The verdict on a classifier that was right on so many of the images with these labels."""
    return Verdict(num_right, len(labels), float(np.bincount(labels).max() / len(labels)))
