"""The shipped spaces of small vision transformers.

Per block depth and embedding width are chosen, per layer the heads, the ratio of the perceptron and whether there is a
convolution in it.

Our own reading: the papers of the DNA family name no such space. All blocks see as many tokens, as in ViT and DeiT, so
that a teacher of that kind can be cut between any two of its encoder layers.
"""

from nasray.search_spaces.chain.block import BlockSpace, Cell
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.operations.attention import ATTENTION_OPERATIONS
from nasray.search_spaces.operations.layer import Layer, Shape
from nasray.search_spaces.operations.shipped import OPERATIONS


def vit(input_shape: Shape, num_classes: int) -> SearchSpace:
    """Four blocks on patches of 16 x 16 pixels, 1,401,249,857,536 architectures; for teachers such as DeiT or ViT-B."""
    operations = _choices(heads=(3, 4), head_size=64, ratios=(2, 4))
    return _space("vit", input_shape, num_classes, 16, 4, ((2, 192), (3, 192), (3, 240)), operations, 384)


def vit_digits(input_shape: Shape, num_classes: int) -> SearchSpace:
    """Three blocks on patches of 2 x 2 pixels for images of 8 x 8, 46,656 architectures."""
    operations = _choices(heads=(1, 3), head_size=16, ratios=(2,))
    return _space("vit_digits", input_shape, num_classes, 2, 3, ((1, 32), (2, 32), (2, 48)), operations, 64)


def _space(
    name: str,
    input_shape: Shape,
    num_classes: int,
    patch_size: int,
    num_blocks: int,
    cells: tuple[tuple[int, int], ...],
    operations: tuple[str, ...],
    head_width: int,
) -> SearchSpace:
    """As many equal blocks; the patch embedding is as wide as the narrowest cells."""
    block = BlockSpace(1, tuple(Cell(depth, width, (operations,) * depth) for depth, width in cells))
    return SearchSpace(
        name,
        input_shape,
        num_classes,
        (Layer("patch", min(block.widths), patch_size),),
        head_width=head_width,
        dropout=0.0,
        blocks=(block,) * num_blocks,
        operations=OPERATIONS | ATTENTION_OPERATIONS,
    )


def _choices(heads: tuple[int, ...], head_size: int, ratios: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(
        f"att{number}x{head_size}r{ratio}{suffix}"
        for suffix in ("", "c")
        for number in heads
        for ratio in ratios
    )
