"""The search space that a config asks for: a shipped one, a Python object, or one declared layer by layer."""

from collections.abc import Callable

from nasray.errors import UserError
from nasray.search_spaces.cells import darts
from nasray.search_spaces.cells.cell_space import CellSpace
from nasray.search_spaces.cells.nasbench201 import nasbench201
from nasray.search_spaces.chain import mbconv, vit
from nasray.search_spaces.chain.block import BlockSpace, Cell
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.names.attribute import call_named, load_attribute
from nasray.search_spaces.names.suggestion import did_you_mean
from nasray.search_spaces.operations.attention import ATTENTION_OPERATIONS
from nasray.search_spaces.operations.layer import Layer, Shape
from nasray.search_spaces.operations.shipped import OPERATIONS, Operation
from nasray.search_spaces.settings import ONLY_CELLS, BlockConfig, CellConfig, SpaceConfig

SHIPPED_SPACES: dict[str, Callable[[Shape, int], SearchSpace]] = {
    "dna": mbconv.dna,
    "dna_one_cell": mbconv.dna_one_cell,
    "digits": mbconv.digits,
    "small_images": mbconv.small_images,
    "vit": vit.vit,
    "vit_digits": vit.vit_digits,
}
SHIPPED_CELL_SPACES: dict[str, Callable[..., CellSpace]] = {
    "nasbench201": nasbench201,
    "darts_s0": darts.darts_s0,
    "darts_s1": darts.darts_s1,
    "darts_s2": darts.darts_s2,
    "darts_s3": darts.darts_s3,
    "darts_s4": darts.darts_s4,
}
SHIPPED_OPERATIONS = OPERATIONS | ATTENTION_OPERATIONS


def build_space(config: SpaceConfig, input_shape: Shape, num_classes: int) -> SearchSpace | CellSpace:
    """The space that `config` asks for, for images (C, H, W); every distinct layer of a chain has been tried.

    Raises:
        UserError: If the source is unknown or gives no space for these images and classes, or an operation
            is unknown, cannot be loaded, or does not keep to the shapes that it must.
    """
    space: SearchSpace | CellSpace
    if config.source == "declared":
        space = _declared(config, input_shape, num_classes)
    elif config.source in SHIPPED_SPACES:
        space = SHIPPED_SPACES[config.source](input_shape, num_classes)
    elif config.source in SHIPPED_CELL_SPACES:
        sizes = {name: getattr(config, name) for name in ONLY_CELLS if getattr(config, name) is not None}
        space = SHIPPED_CELL_SPACES[config.source](input_shape, num_classes, **sizes)
    else:
        space = _loaded(config.source, input_shape, num_classes)
    if isinstance(space, SearchSpace):
        space.check_operations()
    return space


def _loaded(source: str, input_shape: Shape, num_classes: int) -> SearchSpace | CellSpace:
    if ":" not in source:
        shipped = [*SHIPPED_SPACES, *SHIPPED_CELL_SPACES]
        hint = did_you_mean(source, [*shipped, "declared"])
        raise UserError(
            f"a search space's source must be one of {', '.join(shipped)}, declared or"
            f' "module:attribute", got {source!r}{hint}'
        )
    space = load_attribute(source)
    if callable(space):
        space = call_named(source, input_shape, num_classes)
    if not isinstance(space, SearchSpace | CellSpace):
        raise UserError(f"{source} must be or return a SearchSpace or CellSpace, got {type(space).__name__}")
    if (space.input_shape, space.num_classes) != (input_shape, num_classes):
        raise UserError(
            f"{source} must be a space for images {input_shape} and {num_classes} classes, as the data is;"
            f" it is for {space.input_shape} and {space.num_classes}"
        )
    return space


def _declared(config: SpaceConfig, input_shape: Shape, num_classes: int) -> SearchSpace:
    return SearchSpace(
        name="declared",
        input_shape=input_shape,
        num_classes=num_classes,
        stem=tuple(Layer(layer.operation, layer.width, layer.stride) for layer in config.stem),
        head_width=config.head_width,
        dropout=config.dropout,
        blocks=tuple(_block(k, block) for k, block in enumerate(config.blocks)),
        operations=SHIPPED_OPERATIONS | _own_operations(config.operations),
    )


def _own_operations(paths: dict[str, str]) -> dict[str, Operation]:
    operations = {}
    for name, path in paths.items():
        if name in SHIPPED_OPERATIONS:
            raise UserError(f"operation {name!r} is a shipped one; give {path} another name")
        operations[name] = load_attribute(path)
        if not callable(operations[name]):
            raise UserError(
                f"operation {name!r} must be a callable (in_channels, out_channels, stride) -> module,"
                f" {path} is {type(operations[name]).__name__}"
            )
    return operations


def _block(k: int, config: BlockConfig) -> BlockSpace:
    try:
        return BlockSpace(config.stride, tuple(_cell(cell, config.operations) for cell in config.cells))
    except ValueError as error:
        raise UserError(f"block {k}: {error}") from error


def _cell(config: CellConfig, of_block: list[str] | None) -> Cell:
    choices = of_block if config.operations is None else config.operations
    if not choices:
        raise UserError(
            f"cell {config.depth}x{config.width} must list its operations, or the block must; got none"
        )
    per_layer = choices if isinstance(choices[0], list) else [choices] * config.depth
    return Cell(config.depth, config.width, tuple(tuple(layer) for layer in per_layer))
