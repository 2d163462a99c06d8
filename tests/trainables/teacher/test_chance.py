import numpy as np
import pytest

from nasray.trainables.teacher.chance import Verdict, verdict


@pytest.mark.parametrize(
    ("num_right", "num_images", "chance", "by_chance"),
    [
        (10, 100, 0.1, True),
        (19, 100, 0.1, True),  # P(X >= 19) = 0.0046
        (21, 100, 0.1, False),  # P(X >= 21) = 0.0008
        (0, 100, 0.1, True),
        (1, 1, 0.002, True),
        (2, 2, 0.002, False),
        (100, 100, 1.0, True),
    ],
)
def test_the_exact_binomial_test(num_right, num_images, chance, by_chance):
    assert Verdict(num_right, num_images, chance).by_chance == by_chance


@pytest.mark.parametrize(
    ("num_images", "chance", "enough"),
    [(4, 0.1, False), (64, 0.1, True), (16, 0.375, False), (256, 0.5, True), (1000, 1.0, False)],
)
def test_how_many_images_can_tell(num_images, chance, enough):
    assert Verdict(0, num_images, chance).enough_images == enough


def test_chance_is_the_share_of_the_most_frequent_class():
    assert verdict(3, np.array([0, 2, 2, 1])) == Verdict(3, 4, 0.5)
