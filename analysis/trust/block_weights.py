"""Weights of the blocks in a score, fitted to networks that were trained for real.

Source: DONNA (Moons et al., arXiv 2012.08859) predicts accuracies by a linear regression on how well blocks copy the
teacher's. Our own reading, since tens of networks are all that most can train: the weights of the first rating are
drawn to each other, so that few networks give the plain sum, and those of further ratings to zero; and no weight is
negative, since that would call a block the better the worse it copies the teacher's.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

# How many networks' worth of evidence equal weights are given beforehand; the heaviest first.
PENALTIES = (100.0, 30.0, 10.0, 3.0)
NUM_FOLDS = 5

# Ratings of N networks by J columns in K blocks, [N, J, K], lower is better.
Features = NDArray[np.float64]
Values = NDArray[np.float64]


def fit_weights(features: Features, accuracies: Values, penalty: float) -> Values:
    """The weights w >= 0 of each column and block, [J, K]: accuracies are a constant minus the weighted ratings.

    Least are the squared errors, plus `penalty` times, over the blocks, the mean variance of a column's ratings times
    the squared distance of the weight from where it is drawn: the first column's to a common weight, which is fitted as
    well, those of the others to 0.

    Args:
        features: [N, J, K].
        accuracies: [N].
        penalty: In networks.
    """
    num_networks, num_columns, num_blocks = features.shape
    num_weights = num_columns * num_blocks
    centred = (features - features.mean(axis=0)).reshape(num_networks, num_weights)
    pull = np.sqrt(penalty * np.repeat(features.var(axis=0).mean(axis=1), num_blocks))
    to_common = np.where(np.arange(num_weights) < num_blocks, pull, 0.0)
    design = np.block([[-centred, np.zeros((num_networks, 1))], [np.diag(pull), -to_common[:, np.newaxis]]])
    target = np.concatenate([accuracies - accuracies.mean(), np.zeros(num_weights)])
    weights, _ = nnls(design, target)
    return weights[:-1].reshape(num_columns, num_blocks)


def choose_penalty(features: Features, accuracies: Values, rng: np.random.Generator) -> float:
    """The penalty whose weights predict the accuracies of left-out networks best, the heavier of equal ones."""
    errors = np.zeros(len(PENALTIES))
    for left_out in draw_folds(len(accuracies), rng):
        kept = np.delete(np.arange(len(accuracies)), left_out)
        for place, penalty in enumerate(PENALTIES):
            weights = fit_weights(features[kept], accuracies[kept], penalty)
            better = ((features[kept].mean(axis=0) - features[left_out]) * weights).sum(axis=(1, 2))
            errors[place] += np.square(accuracies[left_out] - accuracies[kept].mean() - better).sum()
    return PENALTIES[int(errors.argmin())]


def normalised(weights: Values) -> Values:
    """The weights in units of the first column's mean, so that scores stay of one size, [J, K].

    Equal weights of the first column alone where that has none: the ratings then predict nothing.
    """
    mean = weights[0].mean()
    if mean > 0:
        return weights / mean
    equal = np.zeros_like(weights)
    equal[0] = 1.0
    return equal


def draw_folds(num_networks: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """The positions of the networks in random parts of almost equal size."""
    return np.array_split(rng.permutation(num_networks), NUM_FOLDS)
