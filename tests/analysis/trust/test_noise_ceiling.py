import numpy as np
import pytest
from scipy import stats

from nasray.analysis.trust.noise_ceiling import attainable_taus, seed_taus


def test_the_estimate_is_what_true_qualities_reach():
    rng = np.random.default_rng(0)
    quality = rng.standard_normal(3000)
    for noise, num_seeds in ((0.5, 2), (1.0, 3), (2.0, 5)):
        accuracies = quality[:, None] + noise * rng.standard_normal((3000, num_seeds))
        between = seed_taus(accuracies, np.ones((1, 3000), np.float32))
        reached = stats.kendalltau(quality, accuracies.mean(axis=1)).statistic
        assert attainable_taus(between, num_seeds)[0] == pytest.approx(reached, abs=0.02)
        assert between[0] < reached


def test_its_ends():
    assert attainable_taus(np.array([-0.4, 0.0, 1.0]), 2) == pytest.approx([0, 0, 1])
    one = attainable_taus(np.array([0.5]), 1)
    assert one == pytest.approx(2 / np.pi * np.arcsin(np.sqrt(np.sin(np.pi / 4))))
