"""The space of NAS-Bench-201: one cell of six edges, 15,625 architectures.

Source: NAS-Bench-201 (Dong and Yang, ICLR 2020, arXiv 2001.00326), section 2.1, with the numbers of its released code
(16 channels, five cells per stage).
"""

from torch import Tensor, nn

from nasray.search_spaces.cells.cell_network import BuildCell, CallCell, CellNetwork, classifier, image_stem
from nasray.search_spaces.cells.cell_operations import operation
from nasray.search_spaces.cells.cell_space import CellSpace
from nasray.search_spaces.cells.cell_type import NONE, CellType
from nasray.search_spaces.cells.genotype import ONLY_CELL
from nasray.search_spaces.operations.layer import Shape

_OPERATIONS = (NONE, "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
_NUM_EDGES = 6
_CELL = CellType(
    ONLY_CELL,
    num_inputs=1,
    stride=1,
    choices=(_OPERATIONS,) * _NUM_EDGES,
    edges_per_node=None,
    output="last",
)


def nasbench201(input_shape: Shape, num_classes: int, channels: int = 16, num_cells: int = 5) -> CellSpace:
    """The space of 15,625 architectures; `num_cells` is the number of cells in each of the three stages."""
    return CellSpace(
        "nasbench201",
        input_shape,
        num_classes,
        channels,
        num_cells,
        (_CELL,),
        NasBench201Network,
        pooling_has_norm=False,
    )


class NasBench201Network(CellNetwork):
    """Three stages of cells; each but the first is entered by a residual block that halves the size."""

    def __init__(self, space: CellSpace, build_cell: BuildCell, *, affine: bool) -> None:
        """The network of `space`; there are no norms at the cells outside of them, so that `affine` changes nothing."""
        super().__init__()
        widths = [space.channels, 2 * space.channels, 4 * space.channels]
        self.entries = nn.ModuleList([image_stem(space.input_shape[0], widths[0])])
        self.entries.extend(ResidualBlock(width // 2, width) for width in widths[1:])
        self.cells = nn.ModuleList(
            build_cell(_CELL, width) for width in widths for _ in range(space.num_cells)
        )
        self._cells_per_stage = space.num_cells
        self.head = nn.Sequential(
            nn.BatchNorm2d(widths[-1]), nn.ReLU(), *classifier(widths[-1], space.num_classes)
        )

    def run(self, images: Tensor, call: CallCell) -> Tensor:
        """Logits [B, num_classes] of images [B, C, H, W], every cell being called by `call`."""
        x = images
        for position, cell in enumerate(self.cells):
            if position % self._cells_per_stage == 0:
                x = self.entries[position // self._cells_per_stage](x)
            x = call(cell, (x,))
        return self.head(x)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a pooled shortcut; height and width are halved."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            operation("nor_conv_3x3", in_channels, out_channels, stride=2),
            operation("nor_conv_3x3", out_channels, out_channels, stride=1),
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, ceil_mode=True), nn.Conv2d(in_channels, out_channels, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B, out_channels, ceil(H / 2), ceil(W / 2)]."""
        return self.shortcut(x) + self.branch(x)
