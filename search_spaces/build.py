"""The search space that a config asks for: a shipped one, a Python object, or one declared layer by layer."""

from collections.abc import Callable, Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

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
_ONLY_DECLARED = ("stem", "head_width", "dropout", "operations", "blocks")
_ONLY_CELLS = ("channels", "num_cells")


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class StemLayerConfig(_Strict):
    """One layer before the first block."""

    operation: str
    width: int = Field(ge=1)
    stride: int = Field(default=1, ge=1)


class CellConfig(_Strict):
    """One choice of depth and width for a block.

    Attributes:
        depth: Number of layers.
        width: Channels that every layer puts out.
        operations: The choices, the same for every layer or a list of them per layer; None takes the block's.
    """

    depth: int = Field(ge=1)
    width: int = Field(ge=1)
    operations: list[str] | list[list[str]] | None = None


class BlockConfig(_Strict):
    """The choices of one block.

    Attributes:
        stride: By how much the block shrinks height and width.
        operations: The choices of each layer of those cells that name none of their own.
        cells: The choices of depth and width.
    """

    stride: int = Field(ge=1)
    operations: list[str] | None = None
    cells: list[CellConfig] = Field(min_length=1)


class SpaceConfig(_Strict):
    """Which search space to use.

    Attributes:
        source: Blocks in a row, "dna", "dna_one_cell", "digits", "small_images", or of transformer layers, "vit",
            "vit_digits"; made of cells, "nasbench201", "darts_s0" (the space of DARTS) or "darts_s1" to "darts_s4"
            (those of RobustDARTS); "module:attribute", a SearchSpace or CellSpace or a function (input_shape,
            num_classes) that returns one; or "declared", made of the fields below.
        stem: Layers before the first block.
        head_width: Channels of the 1x1 convolution before the pooling; None for no such convolution.
        dropout: Probability of dropping a feature before the classifier.
        operations: A user's own operations, by name, as "module:callable"; the shipped ones are there anyway. A module
            that runs what cannot be counted may tell its multiply-accumulates by a method `num_macs(input_shape)`, for
            one image (C, H, W).
        blocks: The blocks, first one first.
        channels: Of a shipped space of cells: channels of a node in the first cells; None: 16.
        num_cells: Of a shipped space of cells: for nasbench201 the cells of each of the three stages, None: 5; for
            DARTS's spaces the cells in all, None: 8.
    """

    source: str
    stem: list[StemLayerConfig] = []
    head_width: int | None = Field(default=None, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    operations: dict[str, str] = {}
    blocks: list[BlockConfig] = []
    channels: int | None = Field(default=None, ge=1)
    num_cells: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _fields_belong_to_source(self) -> Self:
        self._allow_only(_ONLY_DECLARED, ["declared"])
        self._allow_only(_ONLY_CELLS, list(SHIPPED_CELL_SPACES))
        if self.source == "declared" and not self.blocks:
            raise ValueError("source: declared must list at least one block under blocks, got none")
        return self

    def _allow_only(self, names: Sequence[str], sources: Sequence[str]) -> None:
        """Refuses fields that are given though the source is none of those that they belong to."""
        fields = type(self).model_fields
        given = sorted(name for name in names if getattr(self, name) != fields[name].default)
        if given and self.source not in sources:
            raise ValueError(
                f"only source: {' or '.join(sources)} takes {', '.join(given)}, got source: {self.source};"
                f" remove {'it' if len(given) == 1 else 'them'} or set source: {sources[0]}"
            )


def build_space(config: SpaceConfig, input_shape: Shape, num_classes: int) -> SearchSpace | CellSpace:
    """The space that `config` asks for, for images (C, H, W); every distinct layer of a chain has been tried.

    Raises:
        ValueError: If the source is unknown or gives no space for these images and classes, or an operation
            is unknown, cannot be loaded, or does not keep to the shapes that it must.
    """
    space: SearchSpace | CellSpace
    if config.source == "declared":
        space = _declared(config, input_shape, num_classes)
    elif config.source in SHIPPED_SPACES:
        space = SHIPPED_SPACES[config.source](input_shape, num_classes)
    elif config.source in SHIPPED_CELL_SPACES:
        sizes = {name: getattr(config, name) for name in _ONLY_CELLS if getattr(config, name) is not None}
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
        raise ValueError(
            f"a search space's source must be one of {', '.join(shipped)}, declared or"
            f' "module:attribute", got {source!r}{hint}'
        )
    space = load_attribute(source)
    if callable(space):
        space = call_named(source, input_shape, num_classes)
    if not isinstance(space, SearchSpace | CellSpace):
        raise ValueError(f"{source} must be or return a SearchSpace or CellSpace, got {type(space).__name__}")
    if (space.input_shape, space.num_classes) != (input_shape, num_classes):
        raise ValueError(
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
            raise ValueError(f"operation {name!r} is a shipped one; give {path} another name")
        operations[name] = load_attribute(path)
        if not callable(operations[name]):
            raise ValueError(
                f"operation {name!r} must be a callable (in_channels, out_channels, stride) -> module,"
                f" {path} is {type(operations[name]).__name__}"
            )
    return operations


def _block(k: int, config: BlockConfig) -> BlockSpace:
    try:
        return BlockSpace(config.stride, tuple(_cell(cell, config.operations) for cell in config.cells))
    except ValueError as error:
        raise ValueError(f"block {k}: {error}") from error


def _cell(config: CellConfig, of_block: list[str] | None) -> Cell:
    choices = of_block if config.operations is None else config.operations
    if not choices:
        raise ValueError(
            f"cell {config.depth}x{config.width} must list its operations, or the block must; got none"
        )
    per_layer = choices if isinstance(choices[0], list) else [choices] * config.depth
    return Cell(config.depth, config.width, tuple(tuple(layer) for layer in per_layer))
