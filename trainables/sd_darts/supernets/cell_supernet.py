"""A cell space as one differentiable supernet.

Source: DARTS (arXiv 1806.09055), equation 2 and section 2.4; NAS-Bench-201 (arXiv 2001.00326) for its own space.
"""

import torch
from torch import Tensor, nn

from nasray.search_spaces.cells.cell_network import edge_stride
from nasray.search_spaces.cells.cell_operations import SKIP
from nasray.search_spaces.cells.cell_space import CellSpace
from nasray.search_spaces.cells.genotype import Genotype
from nasray.trainables.sd_darts.supernets.mixed_cell import MixedCell
from nasray.trainables.sd_darts.supernets.supernet import Supernet, Weights, initial_alpha


class MixedCellSupernet(Supernet):
    """All architectures of a cell space in one network; one alpha [edges, choices] per type of cell.

    Args:
        space: The space.
        allow_none: Whether the alphas may stand for "none" on an edge, where the space has such architectures.
    """

    def __init__(self, space: CellSpace, *, allow_none: bool = True) -> None:
        super().__init__()
        self._space, self._allow_none = space, allow_none
        self.network = space.build_around(
            lambda cell_type, channels: MixedCell(
                cell_type, channels, pooling_has_norm=space.pooling_has_norm
            )
        )
        self.arch_parameters = nn.ParameterDict(
            {
                cell_type.name: initial_alpha(len(cell_type.edges), cell_type.num_choices)
                for cell_type in space.cell_types
            }
        )

    def forward(self, images: Tensor, weights: Weights | None = None) -> Tensor:
        """Logits [B, num_classes] of images [B, C, H, W]; `weights` None: those of the alphas."""
        if weights is None:
            weights = self.weights()
        scales = {name: [row.unbind() for row in rows.unbind()] for name, rows in weights.items()}
        return self.network.run(images, lambda cell, inputs: cell(inputs, scales))

    @torch.no_grad()
    def discretize(self) -> str:
        """The genotype of the strongest edges and operations, see `CellType.strongest`."""
        weights = self.weights()
        found = {
            cell_type.name: cell_type.strongest(weights[cell_type.name].tolist(), allow_none=self._allow_none)
            for cell_type in self._space.cell_types
        }
        return str(Genotype(found))

    def one_hot(self, architecture: str) -> dict[str, Tensor]:
        """Weights of exactly 0 and 1 that leave only the operations of `architecture`; dropped edges are all 0.

        Raises:
            UserError: The architecture is not of this space.
        """
        genotype = self._space.parse(architecture)
        weights = {name: torch.zeros_like(alpha) for name, alpha in self.arch_parameters.items()}
        for cell_type in self._space.cell_types:
            for edge, choice in cell_type.positions(genotype.cells[cell_type.name]):
                weights[cell_type.name][edge, choice] = 1
        return weights

    def num_skips(self, architecture: str) -> int:
        """How many edges of `architecture` are identities; skips that halve the size learn and do not count."""
        cells = self._space.parse(architecture).cells
        return sum(
            edge.operation == SKIP and edge_stride(cell_type, edge.source) == 1
            for cell_type in self._space.cell_types
            for edges in cells[cell_type.name].nodes
            for edge in edges
        )
