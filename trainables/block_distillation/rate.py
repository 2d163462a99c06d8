"""Rating every candidate of a trained cell, each layer's output computed once for all candidates that begin alike.

Source: DNA (arXiv 1911.13053), section 3.3 and Algorithm 1 ("feature sharing"). Per node of the prefix tree the
operation's batch-norm statistics are re-estimated on training images (cumulative averages of the batches' statistics,
each batch normalised by its own), then the operation is applied to the held-out images with those statistics. This
gives what re-estimating and evaluating every candidate's whole path would give, since the statistics of a layer depend
on the layers before it alone.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from search_spaces import rating_table as columns
from search_spaces.architecture import Candidate
from trainables.batch_norm import calibrate
from trainables.block_data import BlockData, Pair
from trainables.block_distillation.config import RatingConfig
from trainables.block_distillation.metrics import TargetScale
from trainables.block_distillation.supernet import CellSupernet, Path
from trainables.block_distillation.swap_in import SwapIn


@dataclass(frozen=True, slots=True)
class Rating:
    """A path with its rating per held-out batch, or the reason why it has none.

    Attributes:
        path: The path.
        batches: How far its output is from the teacher's, per batch.
        failure: Why there is no rating.
        swap_in: How far the teacher's predictions move with it in the place of the block, per batch; None where that
            is not measured or not finite.
    """

    path: Path
    batches: tuple[float, ...]
    failure: str | None = None
    swap_in: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Activations:
    """What flows through the tree: calibration batches, and the held-out images of a pass in one tensor."""

    calibration: Sequence[Tensor]
    held_out: Tensor


@dataclass(frozen=True, slots=True)
class _Expected:
    """What outputs are compared with, per held-out batch of a pass: the teacher's, and what its rest makes of them."""

    features: Sequence[Tensor]
    predictions: Sequence[Tensor]


class CandidateRater:
    """Rates the candidates of a trained supernet, by their outputs and, where `swap_in` is given, by that.

    Attributes:
        num_evaluations: Evaluations of an operation so far: nodes of the prefix tree, times passes.
    """

    def __init__(
        self, supernet: CellSupernet, data: BlockData, config: RatingConfig, swap_in: SwapIn | None = None
    ) -> None:
        self.num_evaluations = 0
        self._supernet, self._data, self._config, self._swap_in = supernet, data, config, swap_in
        self._scale = TargetScale.measure(target for _, target in data.held_out_batches(config.num_batches))

    @torch.no_grad()
    def rate(self, subtrees: Sequence[Path]) -> list[Rating]:
        """Ratings of all candidates that begin like one of `subtrees` (paths of one layer), subtree by subtree."""
        calibration = self._data.calibration_batches(
            self._config.calibration_images, self._config.calibration_batch_size
        )
        held_out = self._data.held_out_batches(self._config.num_batches)
        ratings: list[Rating] = []
        for number, batches in enumerate(self._passes(held_out)):
            found = list(self._rate_pass(subtrees, calibration, batches))
            ratings = found if number == 0 else [_join(*pair) for pair in zip(ratings, found, strict=True)]
        return ratings

    def subtrees(self) -> list[Path]:
        """The first-layer choices below which all candidates lie, in the order of the table of ratings."""
        num_entries, num_choices = len(self._supernet.entries), len(self._supernet.cell.operations[0])
        return [Path(entry, (choice,)) for entry in range(num_entries) for choice in range(num_choices)]

    def _passes(self, batches: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
        """The held-out batches, as many at once as `images_per_pass` allows, at least one."""
        per_pass = max(1, self._config.images_per_pass // len(batches[0][0]))
        for start in range(0, len(batches), per_pass):
            yield batches[start : start + per_pass]

    def _rate_pass(
        self, subtrees: Sequence[Path], calibration: Sequence[Tensor], batches: Sequence[Pair]
    ) -> Iterator[Rating]:
        """Ratings over some of the held-out batches."""
        inputs = _Activations(calibration, torch.cat([features for features, _ in batches]))
        targets = [target for _, target in batches]
        predictions = [] if self._swap_in is None else list(map(self._swap_in.predict, targets))
        expected = _Expected(targets, predictions)
        for entry, paths in itertools.groupby(subtrees, key=lambda path: path.entry):
            entered, failure = self._try(self._supernet.entries[entry], inputs)
            for path in paths:
                if entered is None:
                    yield from self._failures(path, failure)
                else:
                    yield from self._visit(Path(entry, ()), path.choices[0], entered, expected)

    def _visit(
        self, prefix: Path, choice: int, inputs: _Activations, expected: _Expected
    ) -> Iterator[Rating]:
        """Ratings of all candidates below one node: `prefix` continued by `choice`."""
        depth = len(prefix.choices)
        path = replace(prefix, choices=(*prefix.choices, choice))
        self.num_evaluations += 1
        outputs, failure = self._try(self._supernet.layer(depth, path.entry)[choice], inputs)
        if outputs is None:
            yield from self._failures(path, failure)
        elif depth + 1 == self._supernet.cell.depth:
            adapted, failure = self._try(self._supernet.exit, _Activations((), outputs.held_out))
            yield Rating(path, (), failure) if adapted is None else self._rate_output(path, adapted, expected)
        else:
            for following in range(len(self._supernet.cell.operations[depth + 1])):
                yield from self._visit(path, following, outputs, expected)

    def _try(self, operation: nn.Module, inputs: _Activations) -> tuple[_Activations | None, str]:
        """The operation's outputs, or None and the reason why there are none."""
        try:
            outputs = self._apply(operation, inputs)
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            return None, f"out of memory: {str(error).splitlines()[0]}"
        if not torch.isfinite(outputs.held_out).all():
            return None, "non-finite output"
        return outputs, ""

    def _apply(self, module: nn.Module, inputs: _Activations) -> _Activations:
        """The module's outputs, its batch-norm statistics re-estimated from the calibration batches."""
        calibration = calibrate(module, inputs.calibration)
        return _Activations(calibration, module(inputs.held_out))

    def _rate_output(self, path: Path, outputs: _Activations, expected: _Expected) -> Rating:
        """The rating of a whole path, batch by batch."""
        batches = torch.split(outputs.held_out, list(map(len, expected.features)))
        ratings = tuple(
            self._scale.rate(output, target, self._config.metric)
            for output, target in zip(batches, expected.features, strict=True)
        )
        if not all(map(math.isfinite, ratings)):
            return Rating(path, (), "non-finite rating")
        return Rating(path, ratings, swap_in=self._rate_swapped_in(batches, expected.predictions))

    def _rate_swapped_in(
        self, batches: Sequence[Tensor], predictions: Sequence[Tensor]
    ) -> tuple[float, ...] | None:
        """The rating of outputs inside the teacher, batch by batch."""
        if self._swap_in is None:
            return None
        pairs = zip(batches, predictions, strict=True)
        ratings = tuple(self._swap_in.rate(output, predicted) for output, predicted in pairs)
        return ratings if all(map(math.isfinite, ratings)) else None

    def _failures(self, prefix: Path, reason: str) -> Iterator[Rating]:
        """A failed rating for every candidate that begins with `prefix`."""
        if len(prefix.choices) == self._supernet.cell.depth:
            yield Rating(prefix, (), reason)
            return
        for choice in range(len(self._supernet.cell.operations[len(prefix.choices)])):
            yield from self._failures(replace(prefix, choices=(*prefix.choices, choice)), reason)


def ratings_frame(
    supernet: CellSupernet, ratings: Sequence[Rating], candidates: pd.DataFrame
) -> pd.DataFrame:
    """The table of ratings: the rows of `candidates` (a space's `candidate_table`) that were rated, with ratings."""
    rated = pd.DataFrame([_row(supernet, rating) for rating in ratings])
    return candidates.merge(rated, on=[columns.CANDIDATE, columns.IN_CHANNELS], how="inner", validate="1:1")


def _row(supernet: CellSupernet, rating: Rating) -> dict[str, Any]:
    names = (
        choices[choice] for choices, choice in zip(supernet.cell.operations, rating.path.choices, strict=True)
    )
    return {
        columns.CANDIDATE: str(Candidate(supernet.cell.width, tuple(names))),
        columns.IN_CHANNELS: supernet.entry_widths[rating.path.entry],
        columns.RATING: float(np.mean(rating.batches)) if rating.failure is None else math.nan,
        columns.RATING_BATCHES: list(rating.batches),
        columns.SWAP_IN: math.nan if rating.swap_in is None else float(np.mean(rating.swap_in)),
        columns.SWAP_IN_BATCHES: None if rating.swap_in is None else list(rating.swap_in),
        columns.FAILURE: rating.failure,
    }


def _join(first: Rating, second: Rating) -> Rating:
    """The rating over the batches of two passes; a failure in either is a failure."""
    failure = first.failure or second.failure
    if failure:
        return Rating(first.path, (), failure)
    both = None if first.swap_in is None or second.swap_in is None else first.swap_in + second.swap_in
    return Rating(first.path, first.batches + second.batches, swap_in=both)


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch could not allocate: CUDA has a type for it, the CPU's allocator only a message."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
