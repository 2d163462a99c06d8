"""A block-wise chain space as one differentiable supernet, so that what it finds stands in the ranking of all.

Source: DARTS (arXiv 1806.09055), equation 2, on the layers of a chain. Our reading, since the papers know no such
space: one alpha vector per layer over its operations; where a block has several cells, one more over the cells. The
cells of a block that differ in width are brought to the block's largest width by a 1x1 convolution each, which the
found network does not have; the next block's layers are entered at that width. The operations are those of the found
network, so that their batch norms have weights, where DARTS's supernet has none.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from nasray.search_spaces.architecture import Architecture, Candidate
from nasray.search_spaces.chain.block import BlockSpace, Cell
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.operations.layer import Layer
from nasray.trainables.sd_darts.supernets.supernet import Supernet, Weights, initial_alpha


class ChainSupernet(Supernet):
    """All architectures of a chain space in one network."""

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self._space = space
        self.stem = space.build_stem()
        self.blocks = nn.ModuleList()
        in_channels = space.stem[-1].width if space.stem else space.input_shape[0]
        for block in space.blocks:
            self.blocks.append(_MixedBlock(space, block, in_channels))
            in_channels = max(block.widths)
        self.head = space.build_head(in_channels)
        self.arch_parameters = nn.ParameterDict(
            {
                name: initial_alpha(num_choices)
                for index, block in enumerate(space.blocks)
                for name, num_choices in _choices(index, block)
            }
        )

    def forward(self, images: Tensor, weights: Weights | None = None) -> Tensor:
        """Logits [B, num_classes] of images [B, C, H, W]; `weights` None: those of the alphas."""
        if weights is None:
            weights = self.weights()
        x = self.stem(images)
        for index, block in enumerate(self.blocks):
            x = block(x, index, weights)
        return self.head(x)

    @torch.no_grad()
    def discretize(self) -> str:
        """The architecture of the strongest cell per block and the strongest operation per layer; ties to the first."""
        return str(
            Architecture(
                tuple(self._strongest(index, block) for index, block in enumerate(self._space.blocks))
            )
        )

    def one_hot(self, architecture: str) -> dict[str, Tensor]:
        """Weights of exactly 0 and 1 that leave only the layers of `architecture`.

        Raises:
            UserError: The architecture is not of this space.
        """
        parsed = Architecture.parse(architecture)
        self._space.check(parsed)
        weights = {name: torch.zeros_like(alpha) for name, alpha in self.arch_parameters.items()}
        for index, (block, candidate) in enumerate(zip(self._space.blocks, parsed.candidates, strict=True)):
            cell = block.cell(candidate.cell)
            if len(block.cells) > 1:
                weights[_cells_name(index)][block.cells.index(cell)] = 1
            for layer, operation in enumerate(candidate.operations):
                weights[_layer_name(index, cell, layer)][cell.operations[layer].index(operation)] = 1
        return weights

    def num_skips(self, architecture: str) -> int:
        """How many layers of `architecture` are the operation "skip"."""
        candidates = Architecture.parse(architecture).candidates
        return sum(candidate.operations.count("skip") for candidate in candidates)

    def _strongest(self, index: int, block: BlockSpace) -> Candidate:
        cell = block.cells[0]
        if len(block.cells) > 1:
            cell = block.cells[int(self.arch_parameters[_cells_name(index)].argmax())]
        operations = (
            choices[int(self.arch_parameters[_layer_name(index, cell, layer)].argmax())]
            for layer, choices in enumerate(cell.operations)
        )
        return Candidate(cell.width, tuple(operations))


class _MixedBlock(nn.Module):
    """The weighted sum of a block's cells, each a chain of weighted sums of operations."""

    def __init__(self, space: SearchSpace, block: BlockSpace, in_channels: int) -> None:
        super().__init__()
        self._block = block
        self.cells = nn.ModuleList(_layers(space, block, cell, in_channels) for cell in block.cells)
        widest = max(block.widths)
        self.exits = nn.ModuleList(
            nn.Identity() if cell.width == widest else nn.Conv2d(cell.width, widest, 1)
            for cell in block.cells
        )

    def forward(self, x: Tensor, index: int, weights: Weights) -> Tensor:
        """The block's output [B, largest width, H', W'], with the weights of block number `index`."""
        outputs = []
        for cell, layers, leave in zip(self._block.cells, self.cells, self.exits, strict=True):
            y = x
            for layer, operations in enumerate(cast("Iterable[nn.ModuleList]", layers)):
                y = _mix([operation(y) for operation in operations], weights[_layer_name(index, cell, layer)])
            outputs.append(leave(y))
        return _mix(outputs, weights[_cells_name(index)]) if len(outputs) > 1 else outputs[0]


def _layers(space: SearchSpace, block: BlockSpace, cell: Cell, in_channels: int) -> nn.ModuleList:
    """Per layer of a cell, the operations it chooses from."""
    layers, stride = nn.ModuleList(), block.stride
    for choices in cell.operations:
        built = (Layer(name, cell.width, stride).build(in_channels, space.operations) for name in choices)
        layers.append(nn.ModuleList(built))
        in_channels, stride = cell.width, 1
    return layers


def _mix(outputs: Sequence[Tensor], weights: Tensor) -> Tensor:
    """The weighted sum of outputs of one shape."""
    total = outputs[0] * weights[0]
    for output, weight in zip(outputs[1:], weights[1:], strict=True):
        total = torch.addcmul(total, output, weight)
    return total


def _choices(index: int, block: BlockSpace) -> list[tuple[str, int]]:
    """Names and lengths of a block's alphas."""
    layers = [
        (_layer_name(index, cell, layer), len(choices))
        for cell in block.cells
        for layer, choices in enumerate(cell.operations)
    ]
    return [(_cells_name(index), len(block.cells)), *layers] if len(block.cells) > 1 else layers


def _cells_name(index: int) -> str:
    return f"block_{index}/cells"


def _layer_name(index: int, cell: Cell, layer: int) -> str:
    return f"block_{index}/{cell.name}/layer_{layer}"


def shortfalls(space: SearchSpace, weights: Mapping[str, Sequence[float]]) -> list[dict[str, float]]:
    """Per block, by how much the log-weights of each candidate's choices fall short of the strongest ones, summed up.

    0 for the candidates of which `discretize` makes its architecture; infinite where a weight is 0. Our reading, since
    the papers rate no architecture but that one.

    Args:
        space: The space.
        weights: The weight of each choice, by the name of its alpha, as `ChainSupernet.weights` gives them.
    """

    def fall(name: str, choice: int) -> float:
        row = weights[name]
        return math.log(max(row)) - math.log(row[choice]) if row[choice] > 0 else math.inf

    found: list[dict[str, float]] = []
    for index, block in enumerate(space.blocks):
        found.append({})
        for candidate in map(block.candidate, range(block.num_candidates)):
            cell = block.cell(candidate.cell)
            total = fall(_cells_name(index), block.cells.index(cell)) if len(block.cells) > 1 else 0.0
            for layer, operation in enumerate(candidate.operations):
                total += fall(_layer_name(index, cell, layer), cell.operations[layer].index(operation))
            found[-1][str(candidate)] = total
    return found
