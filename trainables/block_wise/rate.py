"""Rating the candidates of a trained cell: by their outputs' distance from the teacher's, and inside the teacher.

Source: DNA (arXiv 1911.13053), section 3.3; the rating inside the teacher: see `swap_in.py`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nasray.search_spaces.architecture import Candidate
from nasray.search_spaces.artefacts.columns import (
    CANDIDATE,
    FAILURE,
    IN_CHANNELS,
    RATING,
    RATING_BATCHES,
)
from nasray.search_spaces.artefacts.criteria import Rating as RatingKind
from nasray.search_spaces.artefacts.criteria import further_ratings
from nasray.trainables.block_wise.block_data import BlockData, Pair
from nasray.trainables.block_wise.candidate_walk import CandidateWalk
from nasray.trainables.block_wise.metrics import TargetScale, load_metric
from nasray.trainables.block_wise.supernet import CellSupernet, Path
from nasray.trainables.settings.block_distillation import RatingConfig


@dataclass(frozen=True, slots=True)
class Rating:
    """A path with its rating per held-out batch, or the reason why it has none.

    Attributes:
        path: The path.
        batches: How bad its output is, per batch.
        failure: Why there is no rating.
        further: By their columns, its further ratings per batch, such as how far the teacher's predictions move with it
            in the place of the block; without those that are not measured or not finite.
    """

    path: Path
    batches: tuple[float, ...]
    failure: str | None = None
    further: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


class FurtherRating(Protocol):
    """A rating beside the distance from the teacher's output, as `SwapIn` is; lower is better."""

    def predict(self, features: Tensor) -> Tensor:
        """What the rating compares of a batch of the block's outputs, [B, ...]."""

    def rate(self, output: Tensor, predictions: Tensor) -> float:
        """The rating of a batch of a candidate's outputs beside what `predict` gives of the teacher's."""


class Rater(ABC):
    """Rates the candidates of a trained supernet, pass by pass over the held-out batches.

    Attributes:
        walk: What computes their outputs.
    """

    def __init__(self, supernet: CellSupernet, data: BlockData, config: RatingConfig) -> None:
        self.walk = CandidateWalk(supernet)
        self._data, self._config = data, config
        self._spread = config.rated_batches is not None

    @torch.no_grad()
    def rate(self, prefixes: Sequence[Path], batches: range | None = None) -> list[Rating]:
        """Ratings of all candidates that begin like one of `prefixes`, in the order of the table of ratings.

        Args:
            prefixes: Paths of one layer or more; whole ones stand for themselves.
            batches: The numbers of the held-out batches to rate on; None: those that all candidates are rated on.
        """
        calibration = self._data.calibration_batches(
            self._config.calibration_images, self._config.calibration_batch_size
        )
        chosen = range(self._config.num_first_batches) if batches is None else batches
        held_out = self._held_out()[chosen.start : chosen.stop]
        ratings: list[Rating] = []
        for number, of_pass in enumerate(self._passes(held_out)):
            found = list(self._rate_pass(prefixes, calibration, of_pass))
            ratings = found if number == 0 else [_join(*pair) for pair in zip(ratings, found, strict=True)]
        return ratings

    @abstractmethod
    def _expect(self, calibration: Sequence[Tensor], batches: Sequence[Pair]) -> Any:
        """What the outputs for these batches of (block input, block output) will be compared with."""

    @abstractmethod
    def _judge(self, path: Path, outputs: Sequence[Tensor], expected: Any) -> Rating:
        """The rating of a path by its outputs, batch by batch."""

    def _held_out(self) -> list[Pair]:
        """All held-out batches."""
        return self._data.held_out_batches(self._config.num_batches, spread=self._spread)

    def _passes(self, batches: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
        """The held-out batches, as many at once as `images_per_pass` allows, at least one."""
        per_pass = max(1, self._config.images_per_pass // len(batches[0][0]))
        for start in range(0, len(batches), per_pass):
            yield batches[start : start + per_pass]

    def _rate_pass(
        self, prefixes: Sequence[Path], calibration: Sequence[Tensor], batches: Sequence[Pair]
    ) -> Iterator[Rating]:
        """Ratings over some of the held-out batches."""
        expected = self._expect(calibration, batches)
        for output in self.walk.outputs(prefixes, calibration, [features for features, _ in batches]):
            if output.batches is None:
                yield Rating(output.path, (), output.failure)
                continue
            rating = self._judge(output.path, output.batches, expected)
            finite = all(map(math.isfinite, rating.batches))
            yield rating if finite else Rating(output.path, (), "non-finite rating")


@dataclass(frozen=True, slots=True)
class _Expected:
    """What outputs are compared with, per held-out batch of a pass: the teacher's, and what further ratings take."""

    features: Sequence[Tensor]
    predictions: Mapping[str, Sequence[Tensor]]


class CandidateRater(Rater):
    """Rates candidates by their outputs' distance from the teacher's and, by column, by further ratings."""

    def __init__(
        self,
        supernet: CellSupernet,
        data: BlockData,
        config: RatingConfig,
        further: Mapping[str, FurtherRating] | None = None,
    ) -> None:
        super().__init__(supernet, data, config)
        self._metric, self._further = load_metric(config.metric), further or {}
        self._scale = TargetScale.measure(target for _, target in self._held_out())

    def _expect(self, calibration: Sequence[Tensor], batches: Sequence[Pair]) -> _Expected:
        targets = [target for _, target in batches]
        return _Expected(
            targets, {name: list(map(one.predict, targets)) for name, one in self._further.items()}
        )

    def _judge(self, path: Path, outputs: Sequence[Tensor], expected: _Expected) -> Rating:
        ratings = tuple(
            self._metric(output, target, self._scale)
            for output, target in zip(outputs, expected.features, strict=True)
        )
        further = {
            name: tuple(map(one.rate, outputs, expected.predictions[name]))
            for name, one in self._further.items()
        }
        finite = {name: values for name, values in further.items() if all(map(math.isfinite, values))}
        return Rating(path, ratings, further=finite)


def ratings_frame(
    supernet: CellSupernet, ratings: Sequence[Rating], candidates: pd.DataFrame
) -> pd.DataFrame:
    """The table of ratings: the rows of `candidates` (a space's `candidate_table`) that were rated, with ratings."""
    rated = pd.DataFrame([_row(supernet, rating) for rating in ratings])
    return candidates.merge(rated, on=[CANDIDATE, IN_CHANNELS], how="inner", validate="1:1")


def _row(supernet: CellSupernet, rating: Rating) -> dict[str, Any]:
    names = (
        choices[choice] for choices, choice in zip(supernet.cell.operations, rating.path.choices, strict=True)
    )
    return {
        CANDIDATE: str(Candidate(supernet.cell.width, tuple(names))),
        IN_CHANNELS: supernet.entry_widths[rating.path.entry],
        RATING: float(np.mean(rating.batches)) if rating.failure is None else math.nan,
        RATING_BATCHES: list(rating.batches),
        **{
            name: value
            for one in further_ratings()
            for name, value in _further(one, rating.further.get(one.column)).items()
        },
        FAILURE: rating.failure,
    }


def _further(kind: RatingKind, batches: Sequence[float] | None) -> dict[str, Any]:
    """The columns of a further rating, which may be missing."""
    mean = math.nan if batches is None else float(np.mean(batches))
    return {kind.column: mean, kind.batches: None if batches is None else list(batches)}


def _join(first: Rating, second: Rating) -> Rating:
    """The rating over the batches of two passes; a failure in either is a failure."""
    failure = first.failure or second.failure
    if failure:
        return Rating(first.path, (), failure)
    in_both = first.further.keys() & second.further.keys()
    further = {name: first.further[name] + second.further[name] for name in in_both}
    return Rating(first.path, first.batches + second.batches, further=further)
