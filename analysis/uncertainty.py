"""How sure a ranking is, as far as the held-out images tell: the ratings per batch of them are what varies.

All candidates are rated on the same batches, so that their errors are not independent; sums are therefore made batch
by batch, before anything is said of how they vary. This speaks of other held-out images for the same trained
supernets, not of other training seeds, which would move the ratings, too.

Source: the mean's standard error and Student's t for paired differences; D. B. Rubin, "The Bayesian bootstrap", Annals
of Statistics 9 (1981). Our own reading: the groups.
"""

import time
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.chain import SEPARATOR
from analysis.ranking import ARCHITECTURE, top_architectures
from search_spaces.rating_table import CANDIDATE, IN_CHANNELS, OUT_CHANNELS, RATING, RATING_BATCHES

_CONFIDENCE = 0.95


def score_errors(ranking: pd.DataFrame, tables: Sequence[pd.DataFrame]) -> NDArray[np.float64]:
    """The standard error of each listed architecture's score, [N]; NaN if there is one batch only.

    Args:
        ranking: A frame with the column `architecture`.
        tables: The ratings of each block with the column `rating_batches`, whose mean is the rating.

    Raises:
        ValueError: If an architecture is not of the rated space, or the batches are missing.
    """
    return _standard_errors(_batch_scores(ranking[ARCHITECTURE], tables))


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
        ValueError: If an architecture is not of the rated space, or the batches are missing.
    """
    scores = _batch_scores(ranking[ARCHITECTURE], tables)
    num_architectures, num_batches = scores.shape
    groups = np.ones(num_architectures, np.int64)
    if num_batches == 1:
        return groups
    quantile = stats.t.ppf((1 + _CONFIDENCE) / 2, num_batches - 1)
    first = 0
    while first < num_architectures:
        differences = scores[first:] - scores[first]
        beyond = differences.mean(axis=1) > quantile * _standard_errors(differences)
        first += int(beyond.argmax()) if beyond.any() else len(beyond)
        groups[first:] += 1
    return groups


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
    anew, exactly. The probability is the share of replicates in which the architecture is among the `k` best. With few
    batches it is a little too sure: for B of them, replicates spread by sqrt((B - 1) / (B + 1)) of what they should.
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
        ValueError: If there are no replicates, the batches are missing, or `top_architectures` refuses the arguments.
    """
    if num_resamples < 1:
        raise ValueError(f"num_resamples must be at least 1, got {num_resamples}")
    batches = _all_batches(tables)
    num_batches = batches[0].shape[1]
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
            table.assign(**{RATING: of_rows @ of_batches})
            for table, of_rows in zip(tables, batches, strict=True)
        ]
        ranking = top_architectures(
            reweighted, budgets, k, time_limit_seconds=left if left < np.inf else None
        )
        if ranking.attrs["certificate"]["proved"]:
            listed += pd.Index(architectures).isin(ranking[ARCHITECTURE])
            num_ranked += 1
    return listed / num_ranked if num_ranked else np.full(len(architectures), np.nan)


def _standard_errors(batches: NDArray[np.float64]) -> NDArray[np.float64]:
    """The standard errors of the means over batches, [N] from [N, B]; NaN if there is one only."""
    num_batches = batches.shape[1]
    if num_batches == 1:
        return np.full(len(batches), np.nan)
    return batches.std(axis=1, ddof=1) / np.sqrt(num_batches)


def _batch_scores(architectures: pd.Series, tables: Sequence[pd.DataFrame]) -> NDArray[np.float64]:
    """The sum of the ratings of each architecture on each held-out batch, [N, B]."""
    batches = _all_batches(tables)
    candidates = [name.split(SEPARATOR) for name in architectures]
    for name, parts in zip(architectures, candidates, strict=True):
        if len(parts) != len(tables):
            raise ValueError(
                f"an architecture must have a candidate for each of {len(tables)} blocks, got {name}"
            )
    scores = np.zeros((len(candidates), batches[0].shape[1]))
    widths: list[int | None] = [None] * len(candidates)
    for block, (table, of_rows) in enumerate(zip(tables, batches, strict=True)):
        rows = _rows(block, table, [parts[block] for parts in candidates], widths)
        scores += of_rows[rows]
        widths = table[OUT_CHANNELS].iloc[rows].tolist() if OUT_CHANNELS in table else [None] * len(rows)
    return scores


def _rows(
    block: int, table: pd.DataFrame, candidates: Sequence[str], widths: Sequence[int | None]
) -> list[int]:
    """Where the candidates stand in a table, each entered at its width; None where any will do."""
    anywhere = [None] * len(table)
    entries = table[IN_CHANNELS].tolist() if IN_CHANNELS in table else anywhere
    names = table[CANDIDATE].tolist()
    places = {**_places(names, anywhere), **_places(names, entries)}
    if IN_CHANNELS not in table:
        widths = [None] * len(candidates)
    unknown = [pair for pair in zip(candidates, widths, strict=True) if pair not in places]
    if unknown:
        name, width = unknown[0]
        entered = "" if width is None else f", entered at {width}"
        raise ValueError(f"the candidates of block {block} must have one named {name}{entered}")
    return [places[pair] for pair in zip(candidates, widths, strict=True)]


def _places(names: Sequence[str], widths: Sequence[int | None]) -> dict[tuple[str, int | None], int]:
    return {pair: place for place, pair in enumerate(zip(names, widths, strict=True))}


def _all_batches(tables: Sequence[pd.DataFrame]) -> list[NDArray[np.float64]]:
    """The ratings per batch of each block, [rows, B]; NaN in rows without a rating."""
    batches = []
    for block, table in enumerate(tables):
        if RATING_BATCHES not in table:
            raise ValueError(f"block {block} must have the column {RATING_BATCHES}; rate it anew")
        rated = table[RATING].notna().to_numpy()
        given = list(table[RATING_BATCHES][rated])
        numbers = set(map(len, given))
        if len(numbers) != 1 or 0 in numbers:
            raise ValueError(
                f"block {block} must have as many {RATING_BATCHES} in each row, got {sorted(numbers)}"
            )
        of_rows = np.full((len(table), numbers.pop()), np.nan)
        of_rows[rated] = given
        batches.append(of_rows)
    numbers = {of_rows.shape[1] for of_rows in batches}
    if len(numbers) > 1:
        raise ValueError(f"all blocks must be rated on the same batches, got {sorted(numbers)} of them")
    return batches
