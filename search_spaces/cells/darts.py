"""The spaces of DARTS (S0) and of RobustDARTS (S1 to S4): a normal and a reduction cell, two edges kept per node.

Source: DARTS (Liu et al., ICLR 2019, arXiv 1806.09055) for skeleton and S0; RobustDARTS (Zela et al., ICLR 2020, arXiv
1909.09656), section 3, with S1's table from its released code. There is no auxiliary head.
"""

from itertools import chain

from torch import Tensor, nn

from nasray.errors import UserError
from nasray.search_spaces.cells.cell_network import BuildCell, CallCell, CellNetwork, classifier, image_stem
from nasray.search_spaces.cells.cell_operations import operation
from nasray.search_spaces.cells.cell_space import CellSpace
from nasray.search_spaces.cells.cell_type import NONE, CellType
from nasray.search_spaces.operations.layer import Shape

Choices = tuple[tuple[str, ...], ...]

_NUM_NODES = 4
_NUM_EDGES = 14
_STEM_FACTOR = 3
_MIN_CELLS = 3
_MAX, _AVG, _SKIP = "max_pool_3x3", "avg_pool_3x3", "skip_connect"
_SEP3, _SEP5, _DIL3, _DIL5 = "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"
_S1_NORMAL = (
    ((_SKIP, _DIL3), (_SKIP, _DIL5)),
    ((_SKIP, _DIL5), (_SKIP, _SEP3), (_SKIP, _DIL3)),
    ((_MAX, _SKIP), (_SKIP, _SEP3), (_SKIP, _SEP3), (_SKIP, _DIL3)),
    ((_SKIP, _SEP3), (_MAX, _SKIP), (_SKIP, _DIL3), (_DIL3, _DIL5), (_DIL3, _DIL5)),
)
_S1_REDUCTION = (
    ((_MAX, _AVG), (_MAX, _DIL3)),
    ((_MAX, _AVG), (_MAX, _AVG), (_SKIP, _DIL5)),
    ((_MAX, _AVG), (_MAX, _SEP3), (_SKIP, _DIL3), (_SKIP, _DIL5)),
    ((_MAX, _AVG), (_MAX, _AVG), (_SKIP, _DIL5), (_SKIP, _DIL5), (_SKIP, _DIL5)),
)


def darts_s0(input_shape: Shape, num_classes: int, channels: int = 16, num_cells: int = 8) -> CellSpace:
    """The space of DARTS: eight operations on every edge, 1,076,746,950,455,072,400 architectures."""
    choices = _same(NONE, _MAX, _AVG, _SKIP, _SEP3, _SEP5, _DIL3, _DIL5)
    return _space("darts_s0", choices, choices, input_shape, num_classes, channels, num_cells)


def darts_s1(input_shape: Shape, num_classes: int, channels: int = 16, num_cells: int = 8) -> CellSpace:
    """Two operations per edge, which differ from edge to edge: what was left of S0 when the least important went."""
    normal, reduction = (tuple(chain.from_iterable(nodes)) for nodes in (_S1_NORMAL, _S1_REDUCTION))
    return _space("darts_s1", normal, reduction, input_shape, num_classes, channels, num_cells)


def darts_s2(input_shape: Shape, num_classes: int, channels: int = 16, num_cells: int = 8) -> CellSpace:
    """Skips and separable convolutions."""
    choices = _same(_SKIP, _SEP3)
    return _space("darts_s2", choices, choices, input_shape, num_classes, channels, num_cells)


def darts_s3(input_shape: Shape, num_classes: int, channels: int = 16, num_cells: int = 8) -> CellSpace:
    """Skips, separable convolutions, and none of both."""
    choices = _same(NONE, _SKIP, _SEP3)
    return _space("darts_s3", choices, choices, input_shape, num_classes, channels, num_cells)


def darts_s4(input_shape: Shape, num_classes: int, channels: int = 16, num_cells: int = 8) -> CellSpace:
    """Separable convolutions and noise, which a search should never choose."""
    choices = _same("noise", _SEP3)
    return _space("darts_s4", choices, choices, input_shape, num_classes, channels, num_cells)


def _same(*operations: str) -> Choices:
    """The choices of a cell in which all edges choose from the same operations."""
    return (operations,) * _NUM_EDGES


def _space(
    name: str,
    normal: Choices,
    reduction: Choices,
    input_shape: Shape,
    num_classes: int,
    channels: int,
    num_cells: int,
) -> CellSpace:
    """The space of these choices per edge; `num_cells` is the number of cells in all."""
    if num_cells < _MIN_CELLS:
        raise UserError(
            f"num_cells of space {name} must be at least {_MIN_CELLS}, so that both kinds of cells occur,"
            f" got {num_cells}"
        )
    cell_types = (
        CellType(kind, num_inputs=2, stride=stride, choices=choices, edges_per_node=2, output="concat")
        for kind, stride, choices in (("normal", 1, normal), ("reduction", 2, reduction))
    )
    return CellSpace(
        name,
        input_shape,
        num_classes,
        channels,
        num_cells,
        tuple(cell_types),
        DartsNetwork,
        pooling_has_norm=True,
    )


class DartsNetwork(CellNetwork):
    """A row of cells, each fed by the two before it; those at a third and two thirds halve the size."""

    def __init__(self, space: CellSpace, build_cell: BuildCell, *, affine: bool) -> None:
        """The network of `space`; `affine` tells whether the norms of the cells' inputs have weights."""
        super().__init__()
        normal, reduction = space.cell_types
        reductions = (space.num_cells // 3, 2 * space.num_cells // 3)
        channels, width = space.channels, _STEM_FACTOR * space.channels
        before, current = width, width
        self.stem = image_stem(space.input_shape[0], width)
        self.cells, self.adapt_before, self.adapt_current = (nn.ModuleList() for _ in range(3))
        for position in range(space.num_cells):
            cell_type = reduction if position in reductions else normal
            channels *= cell_type.stride
            # Where the last cell has halved the size, the map before it is still large.
            name, stride = ("skip_connect", 2) if position - 1 in reductions else ("nor_conv_1x1", 1)
            self.adapt_before.append(operation(name, before, channels, stride, affine=affine))
            self.adapt_current.append(operation("nor_conv_1x1", current, channels, 1, affine=affine))
            self.cells.append(build_cell(cell_type, channels))
            before, current = current, _NUM_NODES * channels
        self.head = classifier(current, space.num_classes)

    def run(self, images: Tensor, call: CallCell) -> Tensor:
        """Logits [B, num_classes] of images [B, C, H, W], every cell being called by `call`."""
        before = current = self.stem(images)
        adapters = zip(self.adapt_before, self.adapt_current, strict=True)
        for cell, (adapt_before, adapt_current) in zip(self.cells, adapters, strict=True):
            output = call(cell, (adapt_before(before), adapt_current(current)))
            before, current = current, output
        return self.head(current)
