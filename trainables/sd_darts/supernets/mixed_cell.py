"""The cell of a supernet: every edge is the weighted sum of its operations.

Source: DARTS (arXiv 1806.09055), equation 2 and figure 1. The released supernets compute each operation of each edge
apart. Here, with the same result, all edges that leave one source share its ReLU, its pooled maps and one wide
convolution per kernel size; the weight of an operation is the scale of its last batch norm; "none" is not computed.
Deviation: NAS-Bench-201's searched convolutions have no bias, which the batch norm behind them takes away again.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasray.search_spaces.cells.cell_network import cell_output, edge_stride
from nasray.search_spaces.cells.cell_operations import (
    CONVOLUTIONS,
    NOISE,
    POOLINGS,
    Branch,
    free_map,
    learning_branch,
)
from nasray.search_spaces.cells.cell_type import CellType
from nasray.trainables.sd_darts.supernets.scaled_batch_norm import ScaledBatchNorm

Scales = Sequence[Sequence[Tensor]]
"""Weights [edges, choices] taken apart into scalars."""


class MixedCell(nn.Module):
    """All cells of a type in one, without affine batch norms."""

    def __init__(self, cell_type: CellType, channels: int, *, pooling_has_norm: bool) -> None:
        super().__init__()
        self._type = cell_type
        sources = sorted({edge.source for edge in cell_type.edges})
        self.fans = nn.ModuleList(
            _Fan(cell_type, source, channels, pooling_has_norm=pooling_has_norm) for source in sources
        )

    def forward(self, inputs: tuple[Tensor, ...], scales: Mapping[str, Scales]) -> Tensor:
        """The cell's output for its inputs, each [B, channels, H, W], with the scales of its type among `scales`."""
        sums: dict[int, Tensor] = {}
        for source, fan in enumerate(self.fans):
            x = inputs[source] if source < len(inputs) else sums[source - len(inputs)]
            for node, maps in fan(x, scales[self._type.name]):
                sums[node] = sums[node] + maps if node in sums else maps
        return cell_output(self._type, [sums[node] for node in sorted(sums)])


class _Member(NamedTuple):
    """An edge of a group: the node that it enters, and its place in the weights."""

    node: int
    row: int
    choice: int


class _Fan(nn.Module):
    """All edges that leave one source, grouped by operation."""

    def __init__(self, cell_type: CellType, source: int, channels: int, *, pooling_has_norm: bool) -> None:
        super().__init__()
        stride = edge_stride(cell_type, source)
        self._members: dict[str, list[_Member]] = {}
        for row, edge in enumerate(cell_type.edges):
            for name in edge.kept_operations if edge.source == source else ():
                member = _Member(edge.node, row, edge.operations.index(name))
                self._members.setdefault(name, []).append(member)
        self.groups = nn.ModuleDict(
            {
                name: _group(name, len(members), channels, stride, pooling_has_norm=pooling_has_norm)
                for name, members in self._members.items()
            }
        )

    def forward(self, x: Tensor, scales: Scales) -> list[tuple[int, Tensor]]:
        """What x [B, C, H, W] adds to the nodes: (number of the node, maps), several per node."""
        rectified = F.relu(x)
        parts: list[tuple[int, Tensor]] = []
        for name, members in self._members.items():
            maps = self.groups[name](x, rectified, [scales[member.row][member.choice] for member in members])
            parts += zip((member.node for member in members), maps, strict=True)
        return parts


class _WideConvolution(nn.Module):
    """A convolution on several edges as one, its outputs side by side."""

    def __init__(self, branch: Branch, num_edges: int, channels: int, stride: int) -> None:
        super().__init__()
        self._channels = channels
        self.branch = branch(channels, num_edges * channels, stride, False)
        self.norm = ScaledBatchNorm(num_edges * channels)

    def forward(self, x: Tensor, rectified: Tensor, scales: Sequence[Tensor]) -> Sequence[Tensor]:
        """Per edge, its scale times the normalised convolution of `rectified`."""
        scale = torch.stack(list(scales)).repeat_interleave(self._channels)
        return self.norm(self.branch(rectified), scale).chunk(len(scales), dim=1)


class _Branches(nn.Module):
    """An operation that learns, on several edges, each with weights of its own."""

    def __init__(self, branch: Branch, num_edges: int, channels: int, stride: int) -> None:
        super().__init__()
        self._channels = channels
        self.branches = nn.ModuleList(branch(channels, channels, stride, False) for _ in range(num_edges))
        self.norms = nn.ModuleList(ScaledBatchNorm(channels) for _ in range(num_edges))

    def forward(self, x: Tensor, rectified: Tensor, scales: Sequence[Tensor]) -> Sequence[Tensor]:
        """Per edge, its scale times the normalised branch of `rectified`."""
        return [
            norm(branch(rectified), scale.expand(self._channels))
            for branch, norm, scale in zip(self.branches, self.norms, scales, strict=True)
        ]


class _FreeMaps(nn.Module):
    """An operation without parameters on several edges, computed once for all unless it is random."""

    def __init__(self, name: str, stride: int, norm: nn.Module) -> None:
        super().__init__()
        self._random = name == NOISE
        self.map = free_map(name, stride)
        self.norm = norm

    def forward(self, x: Tensor, rectified: Tensor, scales: Sequence[Tensor]) -> Sequence[Tensor]:
        """Per edge, its scale times the operation on `x`."""
        if self._random:
            return [self.map(x) * scale for scale in scales]
        maps = self.norm(self.map(x))
        return [maps * scale for scale in scales]


def _group(name: str, num_edges: int, channels: int, stride: int, *, pooling_has_norm: bool) -> nn.Module:
    """The operation on all edges that leave one source and have it among their choices."""
    branch = learning_branch(name, stride)
    if branch is None:
        has_norm = pooling_has_norm and name in POOLINGS
        norm = nn.BatchNorm2d(channels, affine=False) if has_norm else nn.Identity()
        return _FreeMaps(name, stride, norm)
    kind = _WideConvolution if name in CONVOLUTIONS else _Branches
    return kind(branch, num_edges, channels, stride)
