"""A score with weights per block, fitted to trained networks, and whether it is better on those it has not seen.

Source: nested cross-validation (M. Stone, "Cross-validatory choice and assessment of statistical predictions", 1974).
Our own reading: agreement is counted over pairs of networks that are left out together, by weights that have seen
neither; it is called better only if the interval of the difference to the plain score lies above 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasray.analysis.tables.criterion import BlockWeights
from nasray.analysis.tables.rows import architecture_rows
from nasray.analysis.trust.agreement import Interval, interval
from nasray.analysis.trust.block_weights import (
    Features,
    Values,
    choose_penalty,
    draw_folds,
    fit_weights,
    normalised,
)
from nasray.analysis.trust.kendall import draw_resamples, kendall_taus, order_signs
from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import ARCHITECTURE, RATING
from nasray.search_spaces.artefacts.run_files import RunFiles
from nasray.search_spaces.files.json_file import read_object

FEWEST_NETWORKS = 12


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a calibration gives.

    Attributes:
        figures: What JSON holds: `weights` (per column of ratings one per block, in units of the first column's mean),
            `penalty` (in networks, see `block_weights`), `num_networks`, `kendall_tau` of the `plain` and the
            `calibrated` score and their `difference` over networks that the weights have not seen, each with a
            `value`, a `low` and a `high` end of 95%; `helps`: whether the difference's interval lies above 0.
        scores: The score of each network by weights that have not seen it, lower is better; the mean over repetitions.
    """

    figures: dict[str, Any]
    scores: Values


@dataclass(frozen=True, slots=True)
class _LeftOut:
    """Scores of networks by weights that have not seen them.

    Attributes:
        scores: [R, N] for R repetitions.
        together: 1 for the pairs that were left out at the same time, else 0, [R, N, N].
    """

    scores: Values
    together: NDArray[np.float32]


def calibrate(
    networks: pd.DataFrame,
    tables: Sequence[pd.DataFrame],
    *,
    columns: Sequence[str] = (RATING,),
    seed: int = 0,
    num_repeats: int = 20,
    num_resamples: int = 2000,
) -> Calibration:
    """Weights of the blocks by the accuracies of networks, and how the weighted score does out of sample.

    Every repetition leaves out a fifth of the networks at a time, in a new random partition, and fits weights and
    penalty to the others alone. The intervals come from resamples of the networks, the weights being kept.

    Args:
        networks: A row per network, with the columns `architecture` and `accuracy`.
        tables: The ratings of each block; all networks must be rated.
        columns: Which columns of ratings take part; the plain score is the sum of the first.
        seed: Decides partitions and resamples.
        num_repeats: How many partitions.
        num_resamples: How many resamples.

    Raises:
        UserError: If there are fewer than twelve networks, one has no rating, or one is not of the rated space.
    """
    if len(networks) < FEWEST_NETWORKS:
        raise UserError(
            f"at least {FEWEST_NETWORKS} networks must be trained to fit weights of blocks, got {len(networks)}; train "
            "more, for instance of a larger retrain.sample"
        )
    features = block_features(networks[ARCHITECTURE], tables, columns)
    accuracies = networks["accuracy"].to_numpy(np.float64)
    rng = np.random.default_rng(seed)
    left_out = _leave_out(features, accuracies, num_repeats, rng)
    taus = _compare(features[:, 0].sum(axis=1), left_out, accuracies, num_resamples, rng)
    penalty = choose_penalty(features, accuracies, rng)
    weights = normalised(fit_weights(features, accuracies, penalty))
    figures = {
        "weights": {name: of_blocks.tolist() for name, of_blocks in zip(columns, weights, strict=True)},
        "penalty": penalty,
        "num_networks": len(networks),
        "kendall_tau": taus,
        "helps": taus["difference"]["low"] > 0,
    }
    return Calibration(figures, left_out.scores.mean(axis=0))


def block_features(
    architectures: Sequence[str] | pd.Series, tables: Sequence[pd.DataFrame], columns: Sequence[str]
) -> Features:
    """The ratings of each architecture's blocks, [N, len(columns), len(tables)].

    Raises:
        UserError: If an architecture is not of the rated space, or lacks a rating.
    """
    names = list(architectures)
    found = np.full((len(names), len(columns), len(tables)), np.nan)
    for block, (table, rows) in enumerate(zip(tables, architecture_rows(names, tables), strict=True)):
        found[:, :, block] = table.reindex(columns=list(columns)).iloc[rows]
    lacking = ~np.isfinite(found).all(axis=(1, 2))
    if lacking.any():
        raise UserError(
            f"every block of a network must have {' and '.join(columns)}, got {names[lacking.argmax()]}; leave it out"
        )
    return found


def read_calibration(run: Path) -> dict[str, Any] | None:
    """The figures that a run's folder keeps; None where it has none.

    Raises:
        UserError: They are not whole.
    """
    return read_object(RunFiles(run).calibration, "num_networks", "helps", "weights", "kendall_tau")


def block_weights(figures: dict[str, Any]) -> BlockWeights:
    """The weights to rank by.

    Raises:
        UserError: If they do not help on networks that they have not seen.
    """
    if not figures["helps"]:
        raise UserError(
            "weights of blocks must order networks that they have not seen better than equal ones do, but with "
            f"{figures['num_networks']} networks {_compared(figures)}; rank by score, or train more networks "
            "(retrain.sample) and search again"
        )
    return figures["weights"]


def sentence(figures: dict[str, Any]) -> str:
    """What `calibrate` found, in one sentence."""
    better = "order" if figures["helps"] else "cannot be shown to order"
    return (
        f"Weights per block, fitted to {figures['num_networks']} networks, {better} those that they have not seen "
        f"better than equal weights: {_compared(figures)}."
    )


def _compared(figures: dict[str, Any]) -> str:
    taus = figures["kendall_tau"]
    difference = taus["difference"]
    return (
        f"Kendall's τ is {taus['calibrated']['value']:.3f} against {taus['plain']['value']:.3f}, a difference of "
        f"{difference['value']:.3f} (95% interval {difference['low']:.3f} to {difference['high']:.3f})"
    )


def _leave_out(
    features: Features, accuracies: Values, num_repeats: int, rng: np.random.Generator
) -> _LeftOut:
    scores = np.empty((num_repeats, len(accuracies)))
    together = np.zeros((num_repeats, len(accuracies), len(accuracies)), np.float32)
    for repeat in range(num_repeats):
        for part in draw_folds(len(accuracies), rng):
            kept = np.delete(np.arange(len(accuracies)), part)
            penalty = choose_penalty(features[kept], accuracies[kept], rng)
            weights = normalised(fit_weights(features[kept], accuracies[kept], penalty))
            scores[repeat, part] = (features[part] * weights).sum(axis=(1, 2))
            together[repeat][np.ix_(part, part)] = 1
    return _LeftOut(scores, together)


def _compare(
    plain: Values, left_out: _LeftOut, accuracies: Values, num_resamples: int, rng: np.random.Generator
) -> dict[str, Interval]:
    """Kendall's tau of both scores over the same pairs, the mean over the repetitions."""
    networks = np.ones((1, len(accuracies)), np.float32)
    weights = np.concatenate([networks, draw_resamples(len(accuracies), num_resamples, rng)])
    truth, of_plain = order_signs(accuracies), order_signs(-plain)
    taus = np.zeros((2, len(weights)))
    for scores, together in zip(left_out.scores, left_out.together, strict=True):
        taus[0] += kendall_taus(of_plain, truth, weights, together)
        taus[1] += kendall_taus(order_signs(-scores), truth, weights, together)
    taus /= len(left_out.scores)
    named = {"plain": taus[0], "calibrated": taus[1], "difference": taus[1] - taus[0]}
    return {name: interval(values[0], values[1:]) for name, values in named.items()}
