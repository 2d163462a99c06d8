"""Do the blocks of an architecture act on the prediction one by one, as a score that is a sum supposes?

Candidates are put into the teacher at the place of its own blocks, several together and each alone, and the held-out
images tell how far the teacher's predictions move. Each keeps its adapters; its batch norms are re-estimated on what
stands before it, which is the teacher's own, or what the candidates before have made of it. Nothing is trained.

Source: our own reading; LANA (Molchanov et al., arXiv 2107.10624) and Puzzle (Bercovich et al., arXiv 2411.19146) take
such sums for granted.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from torch import Tensor, nn

from nasray.search_spaces.architecture import Architecture, Candidate
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.files.atomic_file import write_parquet
from nasray.trainables.block_wise.swap_in import SwapIn
from nasray.trainables.block_wise.units.cell_target import CellTarget
from nasray.trainables.block_wise.units.stitch import Supernets, calibration_images, load_supernets
from nasray.trainables.core.batch_norm import calibrate
from nasray.trainables.core.compute import place, place_module
from nasray.trainables.core.seeding import generator
from nasray.trainables.core.trainable import Metrics
from nasray.trainables.inputs import SearchInputs, UnitSpec
from nasray.trainables.supervised.accuracy import EVALUATION_BATCH
from nasray.trainables.teacher.unit import TeacherResult

ADDITIVITY = "additivity.parquet"


class AdditivitySpec(UnitSpec):
    """Measure candidates in the teacher together and alone.

    Attributes:
        num_draws: How many architectures are drawn for each pair of blocks, and for all blocks.
        num_images: On how many held-out images, spread evenly.
        targets: The cells of the search.
    """

    kind: Literal["additivity"] = "additivity"
    inputs: SearchInputs
    num_draws: int = Field(ge=1)
    num_images: int = Field(ge=1)
    targets: tuple[CellTarget, ...] = Field(min_length=1)

    def run(self) -> Iterator[Metrics]:
        """See `run_additivity`."""
        return run_additivity(self)

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The table of divergences."""
        return (self.folder / ADDITIVITY,)


@dataclass(frozen=True, slots=True)
class Placed:
    """A candidate in a block, and the width at which it is entered there."""

    block: int
    entry_width: int
    candidate: Candidate

    @property
    def cell(self) -> tuple[int, str]:
        """The block's number with the name of the candidate's cell."""
        return self.block, self.candidate.cell


# What stands in the teacher at the same time, in the order of the blocks.
Swap = tuple[Placed, ...]


def run_additivity(spec: AdditivitySpec) -> Iterator[Metrics]:
    """Measure swaps that are drawn at random; leaves a table of them, group of blocks by group of blocks."""
    inputs = spec.inputs
    swaps = draw_swaps(inputs.space, spec.num_draws, inputs.seed)
    alone = dict.fromkeys((placed,) for swap in swaps for placed in swap)
    teacher = TeacherResult.read(inputs.teacher_folder).load(inputs)
    teacher = place_module(inputs.compute, teacher, inputs.device)
    swapping = Swapping(
        list(teacher.pieces),
        load_supernets(inputs, spec.targets, {placed.cell for (placed,) in alone}),
        calibration_images(inputs, spec.targets[0].config.rating),
        _held_out_images(inputs, spec.num_images),
    )
    found = swapping.divergences([*alone, *swaps])
    write_parquet(spec.folder / ADDITIVITY, pd.DataFrame([_row(swap, found) for swap in swaps]))
    yield {"num_swaps": len(swaps)}


def read_additivity(folder: Path) -> pd.DataFrame:
    """What `run_additivity` left in the unit's folder, a row per swap.

    Columns: `blocks`, their numbers joined by "+"; `candidates`, joined by "/"; `alone`, how far each by itself moves
    the teacher's predictions, in nats; `alone_sum`; `together`, how far all of them do.

    Raises:
        FileNotFoundError: The unit is not finished.
    """
    return pd.read_parquet(folder / ADDITIVITY)


def draw_swaps(space: SearchSpace, num_draws: int, seed: int) -> list[Swap]:
    """Parts of architectures that are drawn uniformly from all: every pair of blocks, and all blocks if there are more.

    What is drawn twice counts once, so that a small space may give fewer than `num_draws` per group of blocks.
    """
    numbers = range(len(space.blocks))
    groups = [*itertools.combinations(numbers, 2), *([tuple(numbers)] if len(numbers) > 2 else [])]
    swaps: dict[Swap, None] = {}
    for blocks in groups:
        rng = generator(seed, "additivity", *blocks)
        for _ in range(num_draws):
            placed = _place(space, space.sample(rng))
            swaps[tuple(placed[block] for block in blocks)] = None
    return list(swaps)


class Swapping:
    """Puts candidates into the teacher, and tells how far its predictions move."""

    def __init__(
        self,
        pieces: Sequence[nn.Module],
        supernets: Supernets,
        calibration: Sequence[Tensor],
        held_out: Sequence[Tensor],
    ) -> None:
        """For a teacher in pieces, one per block and its head, and batches of images, each [B, C, H, W]."""
        self._pieces, self._supernets = pieces, supernets
        self._calibration, self._held_out = calibration, held_out
        self._head = SwapIn(pieces[-1], max(map(len, held_out)))
        self._predictions = [self._predict(images) for images in held_out]

    @torch.no_grad()
    def divergences(self, swaps: Sequence[Swap]) -> dict[Swap, float]:
        """The Kullback-Leibler divergence of the predictions with each swap from the teacher's own, in nats."""
        calibration, held_out = self._calibration, self._held_out
        found = {}
        for block, piece in enumerate(self._pieces[:-1]):
            for swap in swaps:
                if swap[0].block == block:
                    found[swap] = self._rate(self._output(swap, calibration, held_out))
            calibration, held_out = _run(piece, calibration), _run(piece, held_out)
        return found

    def _output(self, swap: Swap, calibration: Sequence[Tensor], held_out: Sequence[Tensor]) -> list[Tensor]:
        """What stands before the head with a swap, from the features at the boundary before its first block."""
        placed = {one.block: one for one in swap}
        for block in range(swap[0].block, len(self._pieces) - 1):
            if block in placed:
                module = self._candidate(placed[block])
                calibration = calibrate(module, calibration)
            else:
                module = self._pieces[block]
                # Behind the last swap there are no statistics to estimate.
                calibration = _run(module, calibration) if block < swap[-1].block else ()
            held_out = _run(module, held_out)
        return list(held_out)

    def _candidate(self, placed: Placed) -> nn.Module:
        supernet = self._supernets[placed.cell]
        return supernet.block(supernet.path(placed.entry_width, placed.candidate.operations))

    def _predict(self, images: Tensor) -> Tensor:
        """The teacher's own log probabilities."""
        with torch.no_grad():
            return self._head.predict(nn.Sequential(*self._pieces[:-1])(images))

    def _rate(self, outputs: Sequence[Tensor]) -> float:
        batches = [self._head.rate(*pair) for pair in zip(outputs, self._predictions, strict=True)]
        return float(np.average(batches, weights=list(map(len, outputs))))


def _run(module: nn.Module, batches: Iterable[Tensor]) -> list[Tensor]:
    return [module(batch) for batch in batches]


def _place(space: SearchSpace, architecture: Architecture) -> list[Placed]:
    """The candidates of an architecture with where they are entered."""
    before = [space.input_shape[0], *(candidate.width for candidate in architecture.candidates[:-1])]
    pairs = zip(before, architecture.candidates, strict=True)
    return [Placed(number, *pair) for number, pair in enumerate(pairs)]


def _held_out_images(inputs: SearchInputs, num_images: int) -> list[Tensor]:
    """Batches of images spread evenly over the held-out ones, which may be in the order of their classes."""
    split = inputs.images.held_out
    num_images = min(num_images, len(split))
    positions = np.arange(num_images) * len(split) // num_images
    parts = np.array_split(positions, -(-num_images // EVALUATION_BATCH))
    return [place(inputs.compute, split.images(part), inputs.device) for part in parts]


def _row(swap: Swap, found: dict[Swap, float]) -> dict[str, object]:
    alone = [found[(placed,)] for placed in swap]
    return {
        "blocks": "+".join(str(placed.block) for placed in swap),
        "candidates": "/".join(str(placed.candidate) for placed in swap),
        "alone": alone,
        "alone_sum": float(np.sum(alone)),
        "together": found[swap],
    }
