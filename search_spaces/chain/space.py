"""A search space: a stem, blocks in a row that each choose a candidate, and a classification head."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd
from torch import nn

from nasray.errors import UserError
from nasray.search_spaces.architecture import Architecture, Candidate
from nasray.search_spaces.artefacts.columns import CANDIDATE, UNCOUNTED, WIDTH
from nasray.search_spaces.chain.block import BlockSpace
from nasray.search_spaces.chain.block_cost import candidate_costs
from nasray.search_spaces.chain.extremes import extreme_rows
from nasray.search_spaces.chain.listing import check_listable
from nasray.search_spaces.chain.network import Head, Network
from nasray.search_spaces.costs.cost import Cost, measure_built
from nasray.search_spaces.costs.uncounted import uncounted_text
from nasray.search_spaces.names.suggestion import did_you_mean
from nasray.search_spaces.operations.layer import Layer, Shape
from nasray.search_spaces.operations.shipped import Operation


@dataclass(frozen=True, slots=True, eq=False)
class SearchSpace:
    """All architectures that choose one candidate per block, and how each is built and what it costs.

    Attributes:
        name: What the space is called in reports.
        input_shape: The images, (C, H, W).
        num_classes: Classes that the head tells apart.
        stem: Layers before the first block's own, the same in every architecture; they belong to block 0.
        head_width: Channels of the 1x1 convolution before the pooling, or None for no such convolution.
        dropout: Probability of dropping a feature before the classifier.
        blocks: What each block may be, first block first.
        operations: The modules behind the operations' names.
    """

    name: str
    input_shape: Shape
    num_classes: int
    stem: tuple[Layer, ...]
    head_width: int | None
    dropout: float
    blocks: tuple[BlockSpace, ...]
    operations: Mapping[str, Operation]

    def __post_init__(self) -> None:
        if len(self.input_shape) != 3 or min(self.input_shape) < 1:
            raise UserError(f"input_shape must be positive (channels, height, width), got {self.input_shape}")
        if self.num_classes < 1:
            raise UserError(f"num_classes must be at least 1, got {self.num_classes}")
        if self.head_width is not None and self.head_width < 1:
            raise UserError(f"head_width must be at least 1 or None, got {self.head_width}")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout must be in [0, 1), got {self.dropout}")
        if not self.blocks:
            raise UserError("a search space must have at least one block, got none")
        for layer in self.stem:
            self._check_known(layer.operation, "the stem")
        for k, block in enumerate(self.blocks):
            for cell in block.cells:
                for choice in itertools.chain.from_iterable(cell.operations):
                    self._check_known(choice, f"block {k}, cell {cell.name}")

    @property
    def num_architectures(self) -> int:
        """Number of architectures, exact however large."""
        return math.prod(block.num_candidates for block in self.blocks)

    def entry_widths(self, k: int) -> tuple[int, ...]:
        """Channels at which block `k` may be entered; block 0 is entered by the image."""
        return self.blocks[k - 1].widths if k else self.input_shape[:1]

    def block_input_shape(self, k: int, width: int) -> Shape:
        """What block `k` is given, (C, H, W), where it is entered at `width`; block 0 takes the image."""
        return self.block_output_shape(k - 1, width) if k else self.input_shape

    def block_output_shape(self, k: int, width: int) -> Shape:
        """What block `k` puts out, (C, H, W), by a candidate of that width."""
        _, *size = self._stem_output_shape()
        for block in self.blocks[: k + 1]:
            size = [-(-length // block.stride) for length in size]
        return width, size[0], size[1]

    def sample(self, rng: np.random.Generator) -> Architecture:
        """An architecture drawn uniformly from all."""
        return Architecture(tuple(block.sample(rng) for block in self.blocks))

    def encode(self, architecture: Architecture) -> tuple[int, ...]:
        """The position of each block's candidate in the block's canonical order.

        Raises:
            UserError: If the architecture is not of this space, see `check`.
        """
        candidates = architecture.candidates
        if len(candidates) != len(self.blocks):
            raise UserError(f"an architecture must have {len(self.blocks)} blocks, got {len(candidates)}")
        return tuple(self._index(k, candidate) for k, candidate in enumerate(candidates))

    def decode(self, indices: Sequence[int]) -> Architecture:
        """The architecture that `encode` turned into `indices`.

        Raises:
            UserError: If there is not one index per block, or one is out of range.
        """
        if len(indices) != len(self.blocks):
            raise UserError(f"there must be {len(self.blocks)} indices, one per block, got {len(indices)}")
        return Architecture(tuple(block.candidate(i) for block, i in zip(self.blocks, indices, strict=True)))

    def check(self, architecture: Architecture) -> None:
        """Holds `architecture` to this space.

        Raises:
            UserError: If it is not of this space; the text names the block and what that allows.
        """
        self.encode(architecture)

    def largest(self) -> Architecture:
        """The architecture of most MACs; ties go to fewer parameters, then to the canonical first."""
        return self._extreme(largest=True)

    def smallest(self) -> Architecture:
        """The architecture of fewest MACs; ties go to fewer parameters, then to the canonical first."""
        return self._extreme(largest=False)

    def build(self, architecture: Architecture | str) -> Network:
        """The network of `architecture`, given also as its text, freshly initialised.

        Raises:
            UserError: If the architecture is not of this space, see `check`.
        """
        architecture = self._checked(architecture)
        blocks, in_channels = [], self.input_shape[0]
        for k, candidate in enumerate(architecture.candidates):
            blocks.append(self._build_layers(self._layers(k, candidate), in_channels))
            in_channels = candidate.width
        return Network(blocks, self.build_head(in_channels))

    def build_stem(self) -> nn.Sequential:
        """The layers before the first block's own, empty where there are none."""
        return self._build_layers(self.stem, self.input_shape[0])

    def build_layer(
        self, block: int, layer_index: int, operation: str, in_channels: int, width: int
    ) -> nn.Module:
        """One layer of a block, with the block's stride if it is the first."""
        stride = self.blocks[block].stride if layer_index == 0 else 1
        return Layer(operation, width, stride).build(in_channels, self.operations)

    def build_head(self, in_channels: int) -> Head:
        """The classification head behind a last block of that many channels."""
        return Head(in_channels, self.head_width, self.dropout, self.num_classes)

    def cost(self, architecture: Architecture | str) -> Cost:
        """The counted costs of the network of `architecture`, given also as its text, without building it.

        Raises:
            UserError: If the architecture is not of this space, see `check`.
        """
        architecture = self._checked(architecture)
        layers = [layer for k, c in enumerate(architecture.candidates) for layer in self._layers(k, c)]
        return self._layers_cost(layers) + self._head_cost(architecture.candidates[-1].width)

    def candidate_table(self, k: int) -> pd.DataFrame:
        """What each candidate of block `k` costs: a row per entry width and candidate, in canonical order.

        The columns are those of a rating table without the ratings. Block 0 bears the stem's cost, the last
        block the head's, so that the rows of an architecture add up to its cost. See `check_listable`.
        """
        self.check_listable()
        frames = [
            candidate_costs(self.blocks[k], entry_width, shape, self.operations)
            for entry_width, shape in self._first_layer_shapes(k).items()
        ]
        table = pd.concat(frames, ignore_index=True)
        if k == 0:
            _add(self._layers_cost(self.stem), table, table.index)
        if k == len(self.blocks) - 1:
            for width in self.blocks[k].widths:
                _add(self._head_cost(width), table, table.index[table[WIDTH] == width])
        return table

    def candidate_tables(self) -> list[pd.DataFrame]:
        """The candidate table of each block."""
        return [self.candidate_table(k) for k in range(len(self.blocks))]

    def check_listable(self) -> None:
        """Counts the candidates of each block.

        Raises:
            UserError: If they are too many to be listed.
        """
        for k, block in enumerate(self.blocks):
            check_listable(k, block, len(self.entry_widths(k)))

    def check_operations(self) -> None:
        """Tries every distinct layer once, without memory or arithmetic, so that a bad operation shows early.

        Raises:
            UserError: If an operation cannot be built, fails to run, or puts out another shape than it must.
        """
        for layer, shape in self.distinct_layers():
            layer.cost(shape, self.operations)

    def distinct_layers(self) -> list[tuple[Layer, Shape]]:
        """Every layer that some architecture has, once, with the maps (C, H, W) that enter it."""
        found, shape = dict[tuple[Layer, Shape], None](), self.input_shape
        for layer in self.stem:
            found[layer, shape] = None
            shape = layer.output_shape(shape)
        for k, block in enumerate(self.blocks):
            for cell in block.cells:
                for entered in self._first_layer_shapes(k).values():
                    shape, stride = entered, block.stride
                    for choices in cell.operations:
                        layers = [Layer(choice, cell.width, stride) for choice in choices]
                        found.update(dict.fromkeys((layer, shape) for layer in layers))
                        shape, stride = layers[0].output_shape(shape), 1
        return list(found)

    def _checked(self, architecture: Architecture | str) -> Architecture:
        """The architecture, held to this space."""
        parsed = Architecture.parse(architecture) if isinstance(architecture, str) else architecture
        self.check(parsed)
        return parsed

    def _check_known(self, operation: str, where: str) -> None:
        if operation in self.operations:
            return
        hint = did_you_mean(operation, self.operations)
        raise UserError(
            f"{where}: the operation must be one of {', '.join(self.operations)}, got {operation!r}{hint}"
        )

    def _index(self, k: int, candidate: Candidate) -> int:
        try:
            return self.blocks[k].index(candidate)
        except ValueError as error:
            raise UserError(f"block {k}: {error}") from error

    def _extreme(self, *, largest: bool) -> Architecture:
        tables = self.candidate_tables()
        rows = extreme_rows(tables, largest=largest)
        return Architecture(
            tuple(Candidate.parse(table[CANDIDATE][row]) for table, row in zip(tables, rows, strict=True))
        )

    def _layers(self, k: int, candidate: Candidate) -> list[Layer]:
        """The layers of block `k` when it is `candidate`, the stem's among those of block 0."""
        first, *rest = candidate.operations
        layers = [Layer(first, candidate.width, self.blocks[k].stride)]
        layers += [Layer(operation, candidate.width) for operation in rest]
        return [*self.stem, *layers] if k == 0 else layers

    def _build_layers(self, layers: Iterable[Layer], in_channels: int) -> nn.Sequential:
        modules = []
        for layer in layers:
            modules.append(layer.build(in_channels, self.operations))
            in_channels = layer.width
        return nn.Sequential(*modules)

    def _layers_cost(self, layers: Iterable[Layer]) -> Cost:
        """Cost of layers in a row that begin at the image."""
        total, shape = Cost.zero, self.input_shape
        for layer in layers:
            total += layer.cost(shape, self.operations)
            shape = layer.output_shape(shape)
        return total

    def _head_cost(self, width: int) -> Cost:
        shape = self.block_output_shape(len(self.blocks) - 1, width)
        return measure_built(Head, (width, self.head_width, self.dropout, self.num_classes), shape)[0]

    def _stem_output_shape(self) -> Shape:
        return reduce(lambda shape, layer: layer.output_shape(shape), self.stem, self.input_shape)

    def _first_layer_shapes(self, k: int) -> dict[int, Shape]:
        """Per entry width of block `k`, the shape that enters its own first layer, behind the stem if any."""
        if k == 0:
            return {self.input_shape[0]: self._stem_output_shape()}
        return {width: self.block_input_shape(k, width) for width in self.entry_widths(k)}


def _add(cost: Cost, table: pd.DataFrame, rows: pd.Index) -> None:
    """Add a part that the architectures of these rows of a candidate table share, in place."""
    for name, count in cost.counts.items():
        table.loc[rows, name] += count
    if cost.uncounted:
        table[UNCOUNTED] = table[UNCOUNTED].astype(object)
        table.loc[rows, UNCOUNTED] = [
            uncounted_text(cost.uncounted.union(text.split(", ") if isinstance(text, str) else ()))
            for text in table.loc[rows, UNCOUNTED]
        ]
