"""Rating the candidates of a trained cell, each layer's output computed once for all candidates that begin alike.

Source: DNA (arXiv 1911.13053), section 3.3 and Algorithm 1 ("feature sharing"). Per node of the prefix tree the
operation's batch-norm statistics are re-estimated on training images (cumulative averages of the batches' statistics,
each batch normalised by its own), then the operation is applied to the held-out images with those statistics. This
gives what re-estimating and evaluating every candidate's whole path would give, since the statistics of a layer depend
on the layers before it alone.
"""

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

Choices = tuple[int, ...]


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
        self._scale = TargetScale.measure(target for _, target in self._held_out())

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

    def subtrees(self) -> list[Path]:
        """The first-layer choices below which all candidates lie, in the order of the table of ratings."""
        num_entries, num_choices = len(self._supernet.entries), len(self._supernet.cell.operations[0])
        return [Path(entry, (choice,)) for entry in range(num_entries) for choice in range(num_choices)]

    def _held_out(self) -> list[Pair]:
        """All held-out batches."""
        spread = self._config.rated_batches is not None
        return self._data.held_out_batches(self._config.num_batches, spread=spread)

    def _passes(self, batches: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
        """The held-out batches, as many at once as `images_per_pass` allows, at least one."""
        per_pass = max(1, self._config.images_per_pass // len(batches[0][0]))
        for start in range(0, len(batches), per_pass):
            yield batches[start : start + per_pass]

    def _rate_pass(
        self, prefixes: Sequence[Path], calibration: Sequence[Tensor], batches: Sequence[Pair]
    ) -> Iterator[Rating]:
        """Ratings over some of the held-out batches."""
        inputs = _Activations(calibration, torch.cat([features for features, _ in batches]))
        targets = [target for _, target in batches]
        predictions = [] if self._swap_in is None else list(map(self._swap_in.predict, targets))
        expected = _Expected(targets, predictions)
        for entry in sorted({path.entry for path in prefixes}):
            wanted = [path.choices for path in prefixes if path.entry == entry]
            entered, failure = self._try(self._supernet.entries[entry], inputs)
            if entered is None:
                yield from self._failures(Path(entry, ()), wanted, failure)
            else:
                yield from self._visit(Path(entry, ()), wanted, entered, expected)

    def _visit(
        self, path: Path, wanted: Sequence[Choices], inputs: _Activations, expected: _Expected
    ) -> Iterator[Rating]:
        """Ratings of the wanted candidates below one node, whose outputs are `inputs`."""
        depth = len(path.choices)
        if depth == self._supernet.cell.depth:
            adapted, failure = self._try(self._supernet.exit, _Activations((), inputs.held_out))
            yield Rating(path, (), failure) if adapted is None else self._rate_output(path, adapted, expected)
            return
        for following, wanted_below in self._following(path, wanted):
            self.num_evaluations += 1
            operation = self._supernet.layer(depth, path.entry)[following.choices[-1]]
            outputs, failure = self._try(operation, inputs)
            if outputs is None:
                yield from self._failures(following, wanted_below, failure)
            else:
                yield from self._visit(following, wanted_below, outputs, expected)

    def _following(self, path: Path, wanted: Sequence[Choices]) -> Iterator[tuple[Path, Sequence[Choices]]]:
        """The nodes after `path` below which wanted candidates lie, each with what is wanted there."""
        depth = len(path.choices)
        for choice in range(len(self._supernet.cell.operations[depth])):
            # What is wanted as a whole has no further choices.
            below = [choices for choices in wanted if choices[depth : depth + 1] in ((), (choice,))]
            if below:
                yield replace(path, choices=(*path.choices, choice)), below

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

    def _failures(self, path: Path, wanted: Sequence[Choices], reason: str) -> Iterator[Rating]:
        """A failed rating for every wanted candidate that begins with `path`."""
        if len(path.choices) == self._supernet.cell.depth:
            yield Rating(path, (), reason)
            return
        for following, wanted_below in self._following(path, wanted):
            yield from self._failures(following, wanted_below, reason)


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
