"""Stitched networks: trained blocks put together as they are, and their accuracy.

Each block keeps the adapters that it was trained with: from the teacher's width to its own, and back; behind the last
one comes the teacher's own head. Nothing is trained. Batch norms are re-estimated through the chain, each block's on
what the blocks before it give; the head keeps its own, as it does for the teacher.

Source: our own reading; DNA (arXiv 1911.13053) rates the blocks one by one.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Literal

import pandas as pd
from pydantic import Field
from torch import Tensor, nn

from nasray.errors import UserError
from nasray.search_spaces.architecture import Architecture
from nasray.search_spaces.artefacts.columns import ARCHITECTURE, STITCHED_ACCURACY
from nasray.search_spaces.files.atomic_file import write_parquet
from nasray.trainables.block_wise.block_data import BlockData, Job, Pair
from nasray.trainables.block_wise.supernet import CellSupernet
from nasray.trainables.block_wise.units.cell import load_supernet
from nasray.trainables.block_wise.units.cell_target import CellTarget
from nasray.trainables.core.batch_norm import calibrate
from nasray.trainables.core.compute import place_module
from nasray.trainables.core.trainable import Metrics
from nasray.trainables.data.split import Split
from nasray.trainables.inputs import SearchInputs, UnitSpec
from nasray.trainables.settings.block_distillation import RatingConfig
from nasray.trainables.settings.features import FeatureConfig
from nasray.trainables.supervised.accuracy import accuracy
from nasray.trainables.teacher.unit import TeacherResult

STITCHED_TABLE = "stitched.parquet"
Supernets = Mapping[tuple[int, str], CellSupernet]


class StitchSpec(UnitSpec):
    """Measure architectures that are put together from the trained supernets of a search.

    Attributes:
        architectures: Their texts.
        targets: The cells of the search.
    """

    kind: Literal["stitch"] = "stitch"
    inputs: SearchInputs
    architectures: tuple[str, ...] = Field(min_length=1)
    targets: tuple[CellTarget, ...] = Field(min_length=1)

    def run(self) -> Iterator[Metrics]:
        """See `run_stitch`."""
        return run_stitch(self)

    @property
    def outputs(self) -> tuple[FilePath, ...]:
        """The table of accuracies."""
        return (self.folder / STITCHED_TABLE,)


def run_stitch(spec: StitchSpec) -> Iterator[Metrics]:
    """Measure the architectures on the held-out images; leaves a table of their accuracies, in the order given.

    Raises:
        UserError: The teacher's classes are not the data's, or an architecture is not of the space.
    """
    inputs = spec.inputs
    teacher = TeacherResult.read(inputs.teacher_folder)
    if teacher.held_out_accuracy is None:
        raise UserError(
            "the teacher of stitched networks must tell the data's classes apart, since its head is theirs: the data "
            f"has {inputs.images.num_classes}, teacher.num_classes is {inputs.teacher.num_classes}; "
            "set retrain.stitched=false or take another teacher"
        )
    architectures = {text: Architecture.parse(text) for text in sorted(spec.architectures)}
    for architecture in architectures.values():
        inputs.space.check(architecture)
    head = place_module(inputs.compute, teacher.load(inputs).pieces[-1], inputs.device)
    supernets = load_supernets(inputs, spec.targets, cells_of(architectures.values()))
    stitching = Stitching(inputs, supernets, head)
    images = calibration_images(inputs, spec.targets[0].config.rating)
    found = dict(stitching.accuracies(list(architectures.values()), images))
    accuracies = [found[architectures[text]] for text in spec.architectures]
    frame = pd.DataFrame({ARCHITECTURE: spec.architectures, STITCHED_ACCURACY: accuracies})
    write_parquet(spec.folder / STITCHED_TABLE, frame)
    yield {"num_stitched": len(frame)}


def read_stitched(folder: FilePath) -> pd.DataFrame:
    """What `run_stitch` left in the unit's folder: `architecture`, and `stitched_accuracy` from 0 to 1.

    Raises:
        FileNotFoundError: The unit is not finished.
    """
    return pd.read_parquet(folder / STITCHED_TABLE)


class Stitching:
    """Puts architectures together, block by block; those that begin alike share the re-estimation of their beginning.

    Blocks are the supernets' own modules, no copies: a block's statistics hold until the next candidate of the same
    cell is re-estimated, which happens only after all that stands behind this one is measured.
    """

    def __init__(self, inputs: SearchInputs, supernets: Supernets, head: nn.Module) -> None:
        self._inputs, self._supernets, self._head = inputs, supernets, head

    def accuracies(
        self,
        architectures: Sequence[Architecture],
        images: Sequence[Tensor],
        blocks: tuple[nn.Module, ...] = (),
    ) -> Iterator[tuple[Architecture, float]]:
        """Held-out accuracies of architectures that begin with `blocks`.

        Args:
            architectures: In the order of their texts, so that those that begin alike stand together.
            images: What `blocks` give for each batch of calibration images; the images themselves where there are none.
            blocks: The first blocks, re-estimated.
        """
        number = len(blocks)
        if number == len(self._inputs.space.blocks):
            network = nn.Sequential(*blocks, self._head)
            held_out = accuracy(network, self._inputs.images.held_out, self._inputs.compute)
            yield from ((architecture, held_out) for architecture in architectures)
            return
        for _, alike in itertools.groupby(architectures, key=lambda found: found.candidates[number]):
            group = list(alike)
            block = self._block(group[0], number)
            yield from self.accuracies(group, calibrate(block, images), (*blocks, block))

    def _block(self, architecture: Architecture, number: int) -> nn.Module:
        """A block of the architecture with its adapters, in the state that its supernet is in."""
        candidate = architecture.candidates[number]
        supernet = self._supernets[number, candidate.cell]
        before = architecture.candidates[number - 1].width if number else self._inputs.space.input_shape[0]
        return supernet.block(supernet.path(before, candidate.operations))


def cells_of(architectures: Iterable[Architecture]) -> set[tuple[int, str]]:
    """The cells that architectures are made of: numbers of blocks with names of cells."""
    return {
        (number, candidate.cell)
        for architecture in architectures
        for number, candidate in enumerate(architecture.candidates)
    }


def load_supernets(
    inputs: SearchInputs, targets: Sequence[CellTarget], cells: Iterable[tuple[int, str]]
) -> Supernets:
    """The trained supernets of some of a search's cells."""
    by_place = {(target.block, target.cell): target for target in targets}
    return {place: load_supernet(inputs, by_place[place]) for place in sorted(cells)}


class _ImagesAsFeatures:
    """A source of the images that the first block's units are given, with their labels."""

    def __init__(self, features: FeatureConfig) -> None:
        self._features = features

    def pairs(self, split: Split, jobs: Sequence[Job]) -> Iterator[Pair]:
        """Images [B, C, H, W] and labels [B] of each batch."""
        for positions, view in jobs:
            shown = self._features.shown_view(split.name, view)
            yield split.images(positions, shown), split.labels(positions)


def calibration_images(inputs: SearchInputs, config: RatingConfig) -> list[Tensor]:
    """Batches of the images on which the first block's candidates are calibrated for their ratings."""
    data = BlockData(inputs.images, _ImagesAsFeatures(inputs.features), inputs.compute, seed=inputs.seed)
    return data.calibration_batches(config.calibration_images, config.calibration_batch_size)
