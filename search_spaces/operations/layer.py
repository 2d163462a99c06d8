"""A layer of a network: an operation with its width and stride."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from nasray.errors import UserError
from nasray.search_spaces.costs.cost import Cost, measure_built
from nasray.search_spaces.operations.shipped import Operation

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Layer:
    """An operation by name, the channels it puts out and the stride it takes."""

    operation: str
    width: int
    stride: int = 1

    def __post_init__(self) -> None:
        if self.width < 1 or self.stride < 1:
            raise UserError(f"a layer's width and stride must be at least 1, got {self.width}, {self.stride}")

    def build(self, in_channels: int, operations: Mapping[str, Operation]) -> nn.Module:
        """The layer as a module for maps of `in_channels` channels."""
        return operations[self.operation](in_channels, self.width, self.stride)

    def output_shape(self, input_shape: Shape) -> Shape:
        """What the layer makes of maps (C, H, W)."""
        _, height, width = input_shape
        return self.width, -(-height // self.stride), -(-width // self.stride)

    def cost(self, input_shape: Shape, operations: Mapping[str, Operation]) -> Cost:
        """Parameters and multiply-accumulates of the layer on maps (C, H, W).

        Raises:
            UserError: If the operation fails, or puts out another shape than `output_shape`.
        """
        arguments = (input_shape[0], self.width, self.stride)
        what = f"operation {self.operation!r} with (in_channels, out_channels, stride) = {arguments}"
        try:
            cost, shape = measure_built(operations[self.operation], arguments, input_shape)
        except Exception as error:
            raise UserError(
                f"{what} must run on maps {input_shape}: {type(error).__name__}: {error}"
            ) from error
        if shape != self.output_shape(input_shape):
            raise UserError(
                f"{what} must turn maps {input_shape} into {self.output_shape(input_shape)}, got {shape}"
            )
        return cost
