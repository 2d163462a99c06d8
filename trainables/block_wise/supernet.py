"""The single-path supernet of one cell, between two cut points of the teacher.

Source: DNA (arXiv 1911.13053), section 3. Deviation [our reading]: the released student widens each block's last layer
to the teacher's width, so that the network that is finally built is not the one rated. Here a cell keeps its own
widths; a 1x1 convolution adapts the teacher's map to its input and another its output to the teacher's map, shared by
all candidates, trained with them and dropped at the end: everywhere, or only where the widths differ.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from nasray.errors import UserError
from nasray.search_spaces.chain.block import Cell
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.operations.shipped import zero_init_residual
from nasray.trainables.block_wise.left_out import LeftOut, Place, computing
from nasray.trainables.cutting.adapters import entry_adapter, exit_adapter


@dataclass(frozen=True, slots=True)
class Path:
    """One way through the supernet: the position of its entry width, and of its operation in each layer."""

    entry: int
    choices: tuple[int, ...]


class CellSupernet(nn.Module):
    """All candidates of a cell with shared weights.

    A block may be entered at several widths (the exit widths of the cells before it): each has an input adapter and a
    first layer of its own; the other layers are shared.

    Attributes:
        entry_widths: The widths at which the cell may be entered, as in the table of ratings.
        entries: Per entry width, from the teacher's features to the first layer's input (block 0: the stem).
        first_layer: Per entry width, the operations of the first layer.
        later_layers: The operations of each further layer.
        exit: From the cell's maps to the teacher's features.
        left_out: Why a choice of a layer, by both numbers, is in no path that is drawn, and has no rating.
    """

    def __init__(
        self,
        space: SearchSpace,
        block: int,
        cell: Cell,
        teacher_in: tuple[int, ...],
        teacher_out: tuple[int, ...],
        *,
        zero_init: bool,
        always_adapt: bool,
    ) -> None:
        """The supernet in its initial state.

        Args:
            space: Whose cell.
            block: The block's number, from 0.
            cell: The cell.
            teacher_in: Shape of the teacher's features for one image before the block, (C, H, W) or (N, C).
            teacher_out: The same behind it.
            zero_init: Whether branches beside a shortcut start at zero.
            always_adapt: Whether there is a 1x1 convolution where widths agree, too.
        """
        super().__init__()
        self.cell = cell
        self.entry_widths = space.entry_widths(block)
        self.left_out: dict[tuple[int, int], str] = {}

        def operations(layer: int, in_channels: int) -> nn.ModuleList:
            return nn.ModuleList(
                space.build_layer(block, layer, operation, in_channels, cell.width)
                for operation in cell.operations[layer]
            )

        first_widths: Sequence[int]
        if block == 0:
            self.entries = nn.ModuleList([space.build_stem()])
            first_widths = [space.stem[-1].width if space.stem else space.input_shape[0]]
        else:
            shapes = [space.block_input_shape(block, width) for width in self.entry_widths]
            self.entries = nn.ModuleList(
                entry_adapter(teacher_in, shape, always=always_adapt) for shape in shapes
            )
            first_widths = self.entry_widths
        self.first_layer = nn.ModuleList(operations(0, width) for width in first_widths)
        self.later_layers = nn.ModuleList(operations(layer, cell.width) for layer in range(1, cell.depth))
        own_out = space.block_output_shape(block, cell.width)
        self.exit = exit_adapter(own_out, teacher_out, always=always_adapt)
        if zero_init:
            zero_init_residual(self)

    def layer(self, index: int, path_entry: int) -> nn.ModuleList:
        """The operations that layer `index` chooses from, for a path that enters at `path_entry`."""
        operations = self.first_layer[path_entry] if index == 0 else self.later_layers[index - 1]
        assert isinstance(operations, nn.ModuleList)
        return operations

    def operations(self) -> Iterator[nn.Module]:
        """The modules of which paths are made."""
        yield from self.entries
        for layer in (*self.first_layer, *self.later_layers):
            assert isinstance(layer, nn.ModuleList)
            yield from layer
        yield self.exit

    def forward(self, features: Tensor, path: Path) -> Tensor:
        """One candidate's output, in the teacher's shape, for the teacher's features, [B, C, H, W] or [B, N, C]."""
        entry, *layers, leave = self._modules_of(path)
        features = entry(features)
        for layer, (choice, module) in enumerate(zip(path.choices, layers, strict=True)):
            with computing(self.place(layer, choice, in_training=True)):
                features = module(features)
        return leave(features)

    def leave_out(self, operations: Iterable[LeftOut]) -> None:
        """Draw no paths through some operations any more.

        Raises:
            UserError: A layer has no other choice.
        """
        for one in operations:
            for layer, names in enumerate(self.cell.operations):
                if one.layer in (None, layer) and one.operation in names:
                    self.left_out[layer, names.index(one.operation)] = one.reason
        for layer, names in enumerate(self.cell.operations):
            if not self._choices(layer):
                failed = ", ".join(f"{name} ({self.left_out[layer, k]})" for k, name in enumerate(names))
                raise UserError(
                    f"a layer must have an operation that does not fail, layer {layer} has {failed}"
                )

    def place(self, layer: int, choice: int, *, in_training: bool) -> Place:
        """A choice of a layer, for whoever computes it."""
        return Place(layer, self.cell.operations[layer][choice], in_training)

    def block(self, path: Path) -> nn.Sequential:
        """One candidate with its adapters, as `forward` runs it: modules of the supernet, not copies."""
        return nn.Sequential(*self._modules_of(path))

    def path(self, entry_width: int, operations: Sequence[str]) -> Path:
        """The path of a candidate, given as the table of ratings does."""
        choices = (names.index(name) for names, name in zip(self.cell.operations, operations, strict=True))
        return Path(self.entry_widths.index(entry_width), tuple(choices))

    def uniform_path(self, rng: np.random.Generator) -> Path:
        """A path with every choice drawn independently."""
        drawn = map(self._choices, range(self.cell.depth))
        choices = tuple(layer[int(rng.integers(len(layer)))] for layer in drawn)
        return Path(int(rng.integers(len(self.entries))), choices)

    def fair_round(self, rng: np.random.Generator) -> list[Path]:
        """Paths in which each operation of each layer comes equally often: once, where all layers have as many."""
        choices = [self._choices(layer) for layer in range(self.cell.depth)]
        length = math.lcm(len(self.entries), *map(len, choices))

        def column(values: Sequence[int]) -> list[int]:
            permutations = [rng.permutation(len(values)) for _ in range(length // len(values))]
            return [values[position] for position in np.concatenate(permutations)]

        entries = column(range(len(self.entries)))
        layers = [column(of_layer) for of_layer in choices]
        return [
            Path(entry, choices) for entry, choices in zip(entries, zip(*layers, strict=True), strict=True)
        ]

    def _choices(self, layer: int) -> list[int]:
        """The numbers of a layer's operations that are not left out."""
        every = range(len(self.cell.operations[layer]))
        return [choice for choice in every if (layer, choice) not in self.left_out]

    def _modules_of(self, path: Path) -> list[nn.Module]:
        layers = [self.layer(index, path.entry)[choice] for index, choice in enumerate(path.choices)]
        return [self.entries[path.entry], *layers, self.exit]
