"""The noise ceiling: agreement of accuracies between training seeds, and the best that a score can reach.

Source: C. Spearman and W. Brown (both British Journal of Psychology 3, 1910) for the reliability of a mean; R. Greiner
(1909) for Kendall's tau of normal variables, 2 / pi * arcsin of their correlation. Our own reading: the two together.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from nasray.analysis.trust.kendall import Weights, kendall_taus, order_signs

Values = NDArray[np.float64]


def seed_taus(accuracies: Values, weights: Weights) -> Values:
    """Kendall's tau of one training seed's accuracies with another's, the mean over all pairs of seeds.

    Args:
        accuracies: Of each network by each seed, [N, S].
        weights: Of the networks, [R, N].

    Returns:
        The tau by each weighing, [R].
    """
    truths = [order_signs(of_seed) for of_seed in accuracies.T]
    taus: Values = np.mean(
        [kendall_taus(*pair, weights) for pair in itertools.combinations(truths, 2)], axis=0
    )
    return taus


def attainable_taus(taus: Values, num_seeds: int) -> Values:
    """Kendall's tau that networks' true qualities would have with their mean accuracies: an estimate.

    It supposes that quality and the noise of a training are normal, and the latter alike for all networks.

    Args:
        taus: One training seed's with another's; below 0 nothing is reproducible, as at 0.
        num_seeds: How many seeds the mean is over.
    """
    reliability = np.sin(np.pi / 2 * np.maximum(taus, 0))
    of_mean = num_seeds * reliability / (1 + (num_seeds - 1) * reliability)
    attainable: Values = 2 / np.pi * np.arcsin(np.sqrt(of_mean))
    return attainable
