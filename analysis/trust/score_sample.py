"""The scores of architectures with all that varies of them: held-out batches, and training seeds of blocks.

Sums and differences are made batch by batch, since all are rated on the same ones. Where rows have different numbers of
batches, an architecture's sum is over those that all of its rows have, and a difference over those that both
architectures have.

Source: F. E. Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics Bulletin 2
(1946). Our own reading: the variances between batches and between the seeds of each block are added, since blocks are
trained independently of each other; what of the variance belongs to both counts twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from nasray.analysis.tables.batches import block_batches, padded
from nasray.analysis.tables.rows import architecture_rows
from nasray.search_spaces.artefacts.columns import RATING_SEEDS

_CONFIDENCE = 0.95
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScoreSample:
    """Scores, or differences of scores, as often as they were measured.

    Attributes:
        batches: On each held-out batch, [N, B]; NaN behind those that there are.
        seeds: What each training seed gives in each block that has several, [N, S] per block.
    """

    batches: Floats
    seeds: tuple[Floats, ...] = ()

    def excess(self, place: int) -> "ScoreSample":
        """By how much each one from `place` on exceeds the one there."""

        def differences(values: Floats) -> Floats:
            return values[place:] - values[place]

        return ScoreSample(differences(self.batches), tuple(map(differences, self.seeds)))

    def errors(self) -> Floats:
        """The standard errors of the means, [N]; NaN where there is one batch only."""
        return self._errors_and_freedom()[0]

    def positive(self) -> NDArray[np.bool_]:
        """Whether the means are positive, as far as Student's 97.5% quantile of standard errors tells, [N]."""
        errors, freedom = self._errors_and_freedom()
        distinct, places = np.unique(freedom, return_inverse=True)
        quantiles = np.asarray(stats.t.ppf((1 + _CONFIDENCE) / 2, distinct))
        means = np.full(len(errors), np.nan)
        for rows, values in self._of_equal_number():
            means[rows] = values.mean(axis=1)
        return means > quantiles[places] * errors

    def _errors_and_freedom(self) -> tuple[Floats, Floats]:
        """The standard errors of the means and their degrees of freedom, each [N]."""
        errors, freedom = np.full(len(self.batches), np.nan), np.full(len(self.batches), np.nan)
        for rows, values in self._of_equal_number():
            number = values.shape[1]
            if number > 1:
                errors[rows], freedom[rows] = values.std(axis=1, ddof=1) / np.sqrt(number), number - 1
        if not self.seeds:
            return errors, freedom
        freedoms = [freedom, *(np.full(len(freedom), values.shape[1] - 1.0) for values in self.seeds)]
        variances = [errors**2, *(values.var(axis=1, ddof=1) / values.shape[1] for values in self.seeds)]
        total = np.sum(variances, axis=0)
        squares = np.sum([one**2 / of_one for one, of_one in zip(variances, freedoms, strict=True)], axis=0)
        # Where nothing varies, any number will do.
        return np.sqrt(total), np.divide(total**2, squares, out=freedom, where=squares > 0)

    def _of_equal_number(self) -> Iterator[tuple[NDArray[np.bool_], Floats]]:
        """Which of them have as many batches, and their values, [n, number]."""
        numbers = np.count_nonzero(~np.isnan(self.batches), axis=1)
        for number in np.unique(numbers):
            rows = numbers == number
            yield rows, self.batches[rows, :number]


def sample_scores(architectures: Sequence[str], tables: Sequence[pd.DataFrame]) -> ScoreSample:
    """The sums of the architectures' ratings, as often as they were measured.

    Args:
        architectures: Their IDs.
        tables: The ratings of each block with the column `rating_batches`.

    Raises:
        UserError: If an architecture is not of the rated space, or the batches are missing.
    """
    batches = block_batches(tables)
    scores, seeds = np.zeros((len(architectures), min(of_rows.shape[1] for of_rows in batches))), []
    rows_of_blocks = architecture_rows(architectures, tables)
    for table, of_rows, rows in zip(tables, batches, rows_of_blocks, strict=True):
        scores += of_rows[rows, : scores.shape[1]]
        if RATING_SEEDS in table and table[RATING_SEEDS].notna().any():
            seeds.append(padded(list(table[RATING_SEEDS].iloc[rows])))
    return ScoreSample(scores, tuple(seeds))
