"""The shipped spaces of inverted residuals: DNA's own for ImageNet, small ones for digits and small images.

Source: DNA (Li et al., CVPR 2020, arXiv 1911.13053). Operations, strides and single cells are those of its
released code; the further cells are told by a third text, and their count agrees with the published 2e17.
Deviation: all layers of a cell have the cell's width, where the released student's last layer widens to the
teacher's: what is rated is what is built.
"""

from collections.abc import Iterable

from nasray.search_spaces.chain.block import BlockSpace, Cell
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.operations.layer import Layer, Shape
from nasray.search_spaces.operations.shipped import OPERATIONS

_DNA_OPERATIONS = tuple(f"mb{e}k{k}se" for e in (3, 6) for k in (3, 5, 7))
_DNA_STRIDES = (2, 2, 2, 1, 2, 1)
_DNA_CELLS = (
    ((2, 24), (3, 24), (2, 32)),
    ((2, 40), (3, 40), (4, 40)),
    ((2, 80), (3, 80), (4, 80)),
    ((3, 112), (4, 112), (4, 96)),
    ((4, 192), (5, 192), (5, 160)),
    ((1, 320),),
)
_DNA_ONE_CELL = (((2, 24),), ((4, 40),), ((4, 80),), ((4, 112),), ((4, 192),), ((1, 320),))


def dna(input_shape: Shape, num_classes: int) -> SearchSpace:
    """The full space of DNA: six blocks of up to three cells, 195,898,498,887,057,408 architectures."""
    return _dna("dna", _DNA_CELLS, input_shape, num_classes)


def dna_one_cell(input_shape: Shape, num_classes: int) -> SearchSpace:
    """The space of DNA's released code: one cell per block, 36 * 1296^4 * 6 = 6.1e14 architectures."""
    return _dna("dna_one_cell", _DNA_ONE_CELL, input_shape, num_classes)


def digits(input_shape: Shape, num_classes: int) -> SearchSpace:
    """A space of 23,868 architectures for images of 8 x 8 pixels."""
    operations = ("mb3k3", "mb3k5", "mb6k3")
    blocks = (
        _block(1, operations, [(2, 16)]),
        _block(2, operations, [(2, 24), (3, 24)]),
        _block(2, operations, [(2, 40), (3, 40), (2, 32)]),
    )
    stem = (Layer("conv3", 16, 1),)
    return SearchSpace(
        "digits",
        input_shape,
        num_classes,
        stem,
        head_width=None,
        dropout=0.0,
        blocks=blocks,
        operations=OPERATIONS,
    )


def small_images(input_shape: Shape, num_classes: int) -> SearchSpace:
    """A space of 908,544 architectures for images of 28 to 32 pixels, such as Fashion-MNIST or CIFAR-10."""
    operations = ("mb3k3", "mb3k5", "mb6k3", "mb6k5")
    blocks = (
        _block(2, operations, [(2, 24), (3, 24)]),
        _block(2, operations, [(2, 48), (3, 48), (2, 40)]),
        _block(2, operations, [(2, 96), (3, 96), (2, 80)]),
    )
    stem = (Layer("conv3", 16, 1),)
    return SearchSpace(
        "small_images",
        input_shape,
        num_classes,
        stem,
        head_width=256,
        dropout=0.1,
        blocks=blocks,
        operations=OPERATIONS,
    )


def _dna(
    name: str,
    cells: Iterable[Iterable[tuple[int, int]]],
    input_shape: Shape,
    num_classes: int,
) -> SearchSpace:
    blocks = tuple(
        BlockSpace(stride, tuple(Cell(depth, width, (_DNA_OPERATIONS,) * depth) for depth, width in block))
        for stride, block in zip(_DNA_STRIDES, cells, strict=True)
    )
    stem = (Layer("conv3", 32, 2), Layer("mb1k3se", 16, 1))
    return SearchSpace(
        name,
        input_shape,
        num_classes,
        stem,
        head_width=1280,
        dropout=0.2,
        blocks=blocks,
        operations=OPERATIONS,
    )


def _block(stride: int, operations: tuple[str, ...], cells: Iterable[tuple[int, int]]) -> BlockSpace:
    """A block whose cells of two layers may skip the second; elsewhere a skip would repeat another cell."""
    return BlockSpace(
        stride,
        tuple(
            Cell(depth, width, (operations, ("skip", *operations)))
            if depth == 2
            else Cell(depth, width, (operations,) * depth)
            for depth, width in cells
        ),
    )
