"""Networks made of cells: what their skeletons share, and the cell of a found genotype."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from nasray.search_spaces.cells.cell_operations import operation
from nasray.search_spaces.cells.cell_type import CellType
from nasray.search_spaces.cells.genotype import CellGenotype

BuildCell = Callable[[CellType, int], nn.Module]
"""Makes a cell of a type with so many channels per node; it takes maps of so many channels, one per input."""

CallCell = Callable[[nn.Module, tuple[Tensor, ...]], Tensor]
"""Gives the output of a cell for its inputs."""


class CellNetwork(nn.Module, ABC):
    """A skeleton with its cells; how a cell is called is left open, since those of a supernet take weights as well."""

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, num_classes] of images [B, C, H, W], by cells that take their inputs alone."""
        return self.run(images, _call)

    @abstractmethod
    def run(self, images: Tensor, call: CallCell) -> Tensor:
        """Logits [B, num_classes] of images [B, C, H, W], every cell being called by `call`."""


class DiscreteCell(nn.Module):
    """The cell of a genotype: each node sums its edges, each of which is one operation."""

    def __init__(self, cell_type: CellType, genotype: CellGenotype, channels: int) -> None:
        """A cell whose nodes have `channels` channels, as have its inputs."""
        super().__init__()
        self._type, self._genotype = cell_type, genotype
        self.operations = nn.ModuleList(
            operation(edge.operation, channels, channels, edge_stride(cell_type, edge.source))
            for edges in genotype.nodes
            for edge in edges
        )

    def forward(self, *inputs: Tensor) -> Tensor:
        """The cell's output for its inputs, each [B, channels, H, W]."""
        states, operations = list(inputs), iter(self.operations)
        for edges in self._genotype.nodes:
            maps = [next(operations)(states[edge.source]) for edge in edges]
            states.append(sum(maps[1:], start=maps[0]))
        return cell_output(self._type, states[len(inputs) :])


def edge_stride(cell_type: CellType, source: int) -> int:
    """By how much an edge from `source` shrinks the maps: inputs may be larger than nodes."""
    return cell_type.stride if source < cell_type.num_inputs else 1


def cell_output(cell_type: CellType, nodes: Sequence[Tensor]) -> Tensor:
    """What a cell puts out for the maps [B, C, H, W] of its nodes: [B, C', H, W]."""
    return torch.cat(list(nodes), dim=1) if cell_type.output == "concat" else nodes[-1]


def classifier(channels: int, num_classes: int) -> nn.Sequential:
    """From maps [B, channels, H, W] to logits [B, num_classes]: their average, and one linear layer."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, num_classes))


def image_stem(in_channels: int, channels: int) -> nn.Sequential:
    """From images to maps of their size: a 3x3 convolution and a batch norm."""
    return nn.Sequential(nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))


def _call(cell: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    return cell(*inputs)
