"""Uncertainty of a ranking from the variation of ratings between held-out batches.

Errors and groups speak of other held-out images, and where blocks were trained with several seeds of other training
seeds, too; without these, they take the trained supernets as they are. Probabilities speak of the images alone. What
varies, and how differences are paired, is said in `score_sample`.

Source: the mean's standard error and Student's t for paired differences; D. B. Rubin, "The Bayesian bootstrap", Annals
of Statistics 9 (1981). Our own reading: the groups and the contenders.
"""

import time
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasray.analysis.exact.ranking import top_architectures
from nasray.analysis.tables.batches import block_batches, weighted_ratings
from nasray.analysis.trust.score_sample import sample_scores
from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import ARCHITECTURE, RATING


def score_errors(ranking: pd.DataFrame, tables: Sequence[pd.DataFrame]) -> NDArray[np.float64]:
    """The standard error of each listed architecture's score, [N]; NaN if there is one batch only.

    Args:
        ranking: A frame with the column `architecture`.
        tables: The ratings of each block with the column `rating_batches`, whose mean is the rating.

    Raises:
        UserError: If an architecture is not of the rated space, or the batches are missing.
    """
    return sample_scores(list(ranking[ARCHITECTURE]), tables).errors()


def tie_groups(ranking: pd.DataFrame, tables: Sequence[pd.DataFrame]) -> NDArray[np.int64]:
    """Numbers of groups whose members these held-out images cannot tell from the group's first, from 1 on, [N].

    From the best down, an architecture is in the group as long as its score exceeds that of the group's first member by
    no more than Student's 97.5% quantile (about 2, more with few batches) of standard errors of their difference, batch
    by batch. The first that exceeds it begins the next group, so that groups are made of neighbours; later ones
    that are near to the first again do not return. Many comparisons are made and none is corrected for it. With one
    batch nothing can be told apart: one group.

    Args:
        ranking: A frame with the column `architecture`, best first.
        tables: The ratings of each block with the column `rating_batches`, whose mean is the rating.

    Raises:
        UserError: If an architecture is not of the rated space, or the batches are missing.
    """
    scores = sample_scores(list(ranking[ARCHITECTURE]), tables)
    groups = np.ones(len(ranking), np.int64)
    first = 0
    while first < len(ranking):
        beyond = scores.excess(first).positive()
        first += int(beyond.argmax()) if beyond.any() else len(beyond)
        groups[first:] += 1
    return groups


def contenders(ranking: pd.DataFrame, tables: Sequence[pd.DataFrame], k: int) -> NDArray[np.bool_]:
    """Which of the listed are among the `k` best, or cannot be told from the k-th as in `tie_groups`, [N].

    Args:
        ranking: A frame with the column `architecture`, best first.
        tables: The ratings of each block with the column `rating_batches`, whose mean is the rating.
        k: How many are the best, at least 1.

    Raises:
        UserError: If an architecture is not of the rated space, or the batches are missing.
    """
    last = min(k, len(ranking)) - 1
    beyond = sample_scores(list(ranking[ARCHITECTURE]), tables).excess(last).positive()
    return np.concatenate([np.ones(last, bool), ~beyond])


def top_probabilities(
    tables: Sequence[pd.DataFrame],
    budgets: Mapping[str, float] | None,
    architectures: Sequence[str],
    k: int,
    *,
    num_resamples: int = 100,
    seed: int = 0,
    time_limit_seconds: float | None = None,
) -> NDArray[np.float64]:
    """How probably each architecture is among the `k` best of all within the budgets, 0 to 1, [N].

    A Bayesian bootstrap over the held-out batches: each replicate weighs them at random and ranks all architectures
    anew, exactly; rows with fewer batches are compared as in `batches`. The probability is the share of replicates in
    which the architecture is among the `k` best. With few batches it is a little too sure: for B of them, replicates
    spread by sqrt((B - 1) / (B + 1)) of what they should.
    With one batch nothing varies, which is not certainty: NaN.

    Args:
        tables: The ratings of each block with the column `rating_batches`.
        budgets: Upper bound, inclusive, of the sum of a cost.
        architectures: Their IDs.
        k: How many count as the best.
        num_resamples: How many replicates.
        seed: Decides the weights.
        time_limit_seconds: When to stop with the replicates ranked so far; NaN if there is none. The result then
            depends on the machine's speed.

    Raises:
        UserError: If there are no replicates, the batches are missing, or `top_architectures` refuses the arguments.
    """
    if num_resamples < 1:
        raise UserError(f"the number of resamples must be at least 1, got {num_resamples}")
    batches = block_batches(tables)
    num_batches = max(of_rows.shape[1] for of_rows in batches)
    if num_batches == 1:
        return np.full(len(architectures), np.nan)
    weights = np.random.default_rng(seed).dirichlet(np.ones(num_batches), num_resamples)
    deadline = np.inf if time_limit_seconds is None else time.monotonic() + time_limit_seconds
    listed, num_ranked = np.zeros(len(architectures)), 0
    for of_batches in weights:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        reweighted = [
            table.assign(**{RATING: weighted_ratings(of_rows, of_batches)})
            for table, of_rows in zip(tables, batches, strict=True)
        ]
        ranking = top_architectures(
            reweighted, budgets, k, time_limit_seconds=left if left < np.inf else None
        )
        if ranking.attrs["certificate"]["proved"]:
            listed += pd.Index(architectures).isin(ranking[ARCHITECTURE])
            num_ranked += 1
    return listed / num_ranked if num_ranked else np.full(len(architectures), np.nan)
