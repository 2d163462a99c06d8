"""The units of a block-wise search: a cell's training, a part of its rating, and the joining of the parts."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path as FilePath
from typing import Any, Literal

import pandas as pd
from safetensors.torch import load_file
from torch import nn

from nasray.search_spaces.artefacts import rating_table
from nasray.search_spaces.artefacts.columns import CELL, SWAP_IN
from nasray.trainables.block_wise.block_data import BlockData, CachedSource, FeatureSource, OnlineSource
from nasray.trainables.block_wise.left_out import left_out_in
from nasray.trainables.block_wise.rate import CandidateRater, Rater, Rating, ratings_frame
from nasray.trainables.block_wise.self_supervision.heads import Heads
from nasray.trainables.block_wise.self_supervision.population import PopulationRater
from nasray.trainables.block_wise.self_supervision.step import SelfSupervision
from nasray.trainables.block_wise.step import BlockDistillation
from nasray.trainables.block_wise.supernet import CellSupernet
from nasray.trainables.block_wise.swap_in import SwapIn
from nasray.trainables.block_wise.units.cell_target import CellTarget
from nasray.trainables.core.compute import place_module
from nasray.trainables.core.guards.notes import LOGGER
from nasray.trainables.core.reported import Reported
from nasray.trainables.core.seeding import generator, seed_global_generators
from nasray.trainables.core.trainable import Metrics, check_unchanged, train
from nasray.trainables.core.weights import save_weights
from nasray.trainables.features.cache import CachedFeatures
from nasray.trainables.features.units import feature_store
from nasray.trainables.inputs import SearchInputs, UnitSpec
from nasray.trainables.settings.block_distillation import BlockDistillationConfig
from nasray.trainables.settings.self_supervision import SelfSupervisionConfig
from nasray.trainables.teacher.unit import TeacherResult


class CellSpec(UnitSpec):
    """A unit that works on the cell `target` with one of its supernets, or on what comes of it."""

    inputs: SearchInputs
    target: CellTarget

    @property
    def named_code(self) -> tuple[str, ...]:
        """The metric, too, by which the cell's candidates are rated."""
        return (*super().named_code, self.target.config.rating.metric)


class BlockSpec(CellSpec):
    """Train a cell's supernet, and rate its candidates if that is not a unit's work of its own."""

    kind: Literal["block"] = "block"
    rate: bool

    def run(self) -> Iterator[Metrics]:
        """See `run_block`."""
        return run_block(self)

    @property
    def reads_features_of(self) -> int:
        """The cell's block."""
        return self.target.block

    @property
    def tracked(self) -> dict[str, Any]:
        """The cell, and how it is trained and rated."""
        return {
            "block": self.target.block,
            "cell": self.target.cell,
            **self.target.config.model_dump(mode="json"),
        }

    @property
    def reported(self) -> Reported:
        """The figures of the training."""
        is_self_supervised = isinstance(self.target.config, SelfSupervisionConfig)
        return Reported.of_training(
            (SelfSupervision if is_self_supervised else BlockDistillation).after_epochs
        )

    @property
    def method(self) -> str:
        """The method of the search."""
        return self.target.config.method

    @property
    def outputs(self) -> tuple[FilePath, ...]:
        """The weights, and the table of ratings."""
        heads = (self.target.heads,) if isinstance(self.target.config, SelfSupervisionConfig) else ()
        return (self.target.weights, *heads, *((self.target.own_table,) if self.rate else ()))

    @property
    def num_processes(self) -> int:
        """As many as the config says."""
        return self.inputs.compute.num_processes


class RatingSpec(CellSpec):
    """Rate the candidates below one first-layer choice of a trained cell."""

    kind: Literal["rating"] = "rating"
    subtree: int

    def run(self) -> Iterator[Metrics]:
        """See `run_rating`."""
        return run_rating(self)

    @property
    def reads_features_of(self) -> int:
        """The cell's block."""
        return self.target.block

    @property
    def outputs(self) -> tuple[FilePath, ...]:
        """A part of the table."""
        return (self.target.part(self.subtree),)


class RatingTableSpec(CellSpec):
    """Join the parts of a cell's table of ratings."""

    kind: Literal["rating_table"] = "rating_table"
    num_subtrees: int

    def run(self) -> Iterator[Metrics]:
        """See `run_rating_table`."""
        return run_rating_table(self)

    @property
    def outputs(self) -> tuple[FilePath, ...]:
        """The table."""
        return (self.target.own_table,)


def run_block(spec: BlockSpec) -> Iterator[Metrics]:
    """Train the cell's supernet, epoch by epoch; leaves its weights and, if asked for, its table of ratings."""
    inputs, target = spec.inputs, spec.target
    data, supernet = build_data(inputs, target.block), build_supernet(inputs, target)
    for one in left_out_in(spec.folder):
        LOGGER.warning("block %d: %s", target.block, one)
    common: dict[str, Any] = {"block": target.block, "seed": inputs.seed, "name": spec.name}
    method: BlockDistillation | SelfSupervision
    if isinstance(target.config, SelfSupervisionConfig):
        heads = _build_heads(inputs, supernet, target.config)
        method = SelfSupervision(supernet, heads, data, target.config, **common)
    else:
        method = BlockDistillation(supernet, data, target.config, **common)
    yield from train(method, spec.folder, seed=inputs.seed, name=spec.name, inputs=spec.fingerprint)
    if isinstance(method, SelfSupervision):
        save_weights(method.student.heads, target.heads)
    save_weights(supernet, target.weights)
    if spec.rate:
        rater = build_rater(inputs, target, supernet, data)
        write_ratings(inputs, target, supernet, rater.rate(rater.walk.subtrees()), target.own_table)


def run_rating(spec: RatingSpec) -> Iterator[Metrics]:
    """Rate one subtree of a trained cell; leaves a part of the table."""
    inputs, target = spec.inputs, spec.target
    supernet = load_supernet(inputs, target)
    supernet.leave_out(left_out_in(spec.folder))
    rater = build_rater(inputs, target, supernet, build_data(inputs, target.block))
    ratings = rater.rate([rater.walk.subtrees()[spec.subtree]])
    write_ratings(inputs, target, supernet, ratings, target.part(spec.subtree))
    yield {"num_rated": len(ratings)}


def run_rating_table(spec: RatingTableSpec) -> Iterator[Metrics]:
    """Join the parts of a cell's table, in the order of its candidates."""
    parts = [rating_table.read(spec.target.part(number)) for number in range(spec.num_subtrees)]
    table = pd.concat(parts, ignore_index=True)
    rating_table.write(table, spec.target.own_table)
    yield {"num_rated": len(table)}


def load_supernet(inputs: SearchInputs, target: CellTarget) -> CellSupernet:
    """The cell's trained supernet, on the device.

    Raises:
        FileNotFoundError: The cell is not trained.
    """
    supernet = build_supernet(inputs, target)
    check_unchanged(target.folder, target.weights)
    supernet.load_state_dict(load_file(target.weights))
    return supernet


def build_supernet(inputs: SearchInputs, target: CellTarget) -> CellSupernet:
    """The cell's supernet in its initial state, on the device, without what its unit left out."""
    block, teacher = target.block, TeacherResult.read(inputs.teacher_folder)
    further = [target.training_seed] if target.training_seed else []
    seed_global_generators(inputs.seed, "block", block, target.cell, *further)
    space, config = inputs.space, target.config
    cell, entered = space.blocks[block].cell(target.cell), teacher.feature_shapes[block]
    left = teacher.feature_shapes[block + 1]
    if isinstance(config, SelfSupervisionConfig):  # whose outputs are compared among themselves
        left = space.block_output_shape(block, cell.width)
    supernet = CellSupernet(
        space,
        block,
        cell,
        entered,
        left,
        zero_init=config.zero_init_residual,
        always_adapt=isinstance(config, BlockDistillationConfig) and config.adapters == "always",
    )
    supernet.leave_out(left_out_in(target.folder))
    return place_module(inputs.compute, supernet, inputs.device)


def _build_heads(inputs: SearchInputs, supernet: CellSupernet, config: SelfSupervisionConfig) -> Heads:
    """The heads in their initial state, drawn behind the supernet's."""
    heads = Heads(
        supernet.cell.width, config.hidden_width, config.projection_width, predictor=config.predictor
    )
    return place_module(inputs.compute, heads, inputs.device)


def build_data(inputs: SearchInputs, block: int) -> BlockData:
    """What a block is trained, calibrated and rated on."""
    source = _source(inputs, block, TeacherResult.read(inputs.teacher_folder))
    return BlockData(inputs.images, source, inputs.compute, seed=inputs.seed)


def build_rater(inputs: SearchInputs, target: CellTarget, supernet: CellSupernet, data: BlockData) -> Rater:
    """What rates the candidates of a trained cell, in the way of its method."""
    if isinstance(target.config, SelfSupervisionConfig):
        heads = _build_heads(inputs, supernet, target.config)
        heads.load_state_dict(load_file(target.heads))
        rng = generator(inputs.seed, "population", target.block, target.cell)
        return PopulationRater(supernet, heads, data, target.config, rng)
    config = target.config.rating
    further = {}
    if config.swap_in_images:
        pieces = TeacherResult.read(inputs.teacher_folder).load(inputs).pieces
        behind = nn.Sequential(*pieces[target.block + 1 :]).eval()
        rest = place_module(inputs.compute, behind, inputs.device)
        further[SWAP_IN] = SwapIn(rest, config.swap_in_images_per_batch)
    return CandidateRater(supernet, data, config, further)


def _source(inputs: SearchInputs, block: int, teacher: TeacherResult) -> FeatureSource:
    if inputs.features.modes[block] == "online":
        return OnlineSource(teacher.load(inputs), block, inputs.features, inputs.compute)
    load_teacher = partial(teacher.load, inputs)
    train_features = CachedFeatures(feature_store(inputs, teacher, "train"), load_teacher)
    held_out_features = CachedFeatures(feature_store(inputs, teacher, "held_out"), load_teacher)
    return CachedSource(train_features, held_out_features, block)


def write_ratings(
    inputs: SearchInputs, target: CellTarget, supernet: CellSupernet, ratings: list[Rating], path: FilePath
) -> None:
    """Write ratings of the cell's candidates as a table, or a part of it."""
    candidates = inputs.space.candidate_table(target.block)
    of_cell = candidates[candidates[CELL] == target.cell]
    rating_table.write(ratings_frame(supernet, ratings, of_cell), path)
