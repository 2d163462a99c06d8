"""Layout of a model's features: which axes are channels, height and width, or tokens.

All that works on features expects maps [B, C, H, W] and tokens [B, N, C]. A value that a convolution, a batch norm or a
pooling takes or makes has its channels first. Elsewhere, height and width are the axes whose length follows the images'
height and width. Where a model takes images of one size alone, a linear layer or a layer norm says that the channels
are last, and of maps of square images two axes are equal.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.modules import batchnorm, conv, instancenorm, pooling

from nasray.errors import UserError
from nasray.trainables.cutting.traced_model import Order, Shape, TracedModel
from nasray.trainables.cutting.tracing import reason

_BATCH = 2
_GROWTH = 8  # so that maps of one pixel grow, too
_CHANNELS_FIRST, _CHANNELS_LAST = (0, 1, 2), (2, 0, 1)
# Whether the axes C, H, W, or N, C grow with the images' height, and whether with their width.
_OF_MAPS = (False, False), (True, False), (False, True)
_OF_TOKENS = (True, True), (False, False)
_TAKE_CHANNELS_FIRST = (
    conv._ConvNd,
    batchnorm._BatchNorm,
    instancenorm._InstanceNorm,
    nn.GroupNorm,
    pooling._AvgPoolNd,
    pooling._MaxPoolNd,
    pooling._AdaptiveAvgPoolNd,
    pooling._AdaptiveMaxPoolNd,
)
_TAKE_CHANNELS_LAST = (nn.Linear, nn.LayerNorm)


class FeatureLayout:
    """Axes of the values of a traced model that is given images (C, H, W)."""

    def __init__(self, traced: TracedModel, input_shape: Shape) -> None:
        self._traced, self._input_shape = traced, input_shape

    def order(self, node: fx.Node, shape: Shape) -> Order | None:
        """A node's axes in the order C, H, W, or N, C, which all else expects; None where that cannot be told.

        Args:
            node: The node.
            shape: Shape of one image's value there; what is neither map nor tokens stays as it is.
        """
        if len(shape) not in (2, 3):
            return tuple(range(len(shape)))
        if len(shape) == 3 and self._is_near(node, _TAKE_CHANNELS_FIRST):
            return _CHANNELS_FIRST
        growths = self._growths(node, shape)
        if any(map(any, growths)):
            return _by_growth(growths, _OF_MAPS if len(shape) == 3 else _OF_TOKENS)
        if self._is_near(node, _TAKE_CHANNELS_LAST):
            return _CHANNELS_LAST if len(shape) == 3 else (0, 1)
        return self._by_equal_sides(shape) if len(shape) == 3 else None

    def _is_near(self, node: fx.Node, kinds: tuple[type[nn.Module], ...]) -> bool:
        """Whether a layer of one of these kinds makes the node's value, or takes it."""
        targets = [str(near.target) for near in (node, *node.users) if near.op == "call_module"]
        layers = map(self._traced.module.get_submodule, targets)
        return any(isinstance(layer, kinds) and not _normalises_several_axes(layer) for layer in layers)

    def _growths(self, node: fx.Node, shape: Shape) -> list[tuple[bool, bool]]:
        """Per axis of a node's value, whether it grows with the images' height, and whether with their width."""
        taller, wider = (shapes.get(node, shape) for shapes in self._on_larger_images)
        return [(tall != own, wide != own) for own, tall, wide in zip(shape, taller, wider, strict=True)]

    def _by_equal_sides(self, shape: Shape) -> Order | None:
        """The order by which two neighbours are the sides of a map: equal, if images are square, or both 1."""
        is_square = self._input_shape[1] == self._input_shape[2]
        sides = {_CHANNELS_FIRST: shape[1:], _CHANNELS_LAST: shape[:2]}
        possible = [
            order for order, (height, width) in sides.items() if height == width and (is_square or width == 1)
        ]
        return possible[0] if len(possible) == 1 or set(shape) == {1} else None

    @cached_property
    def _on_larger_images(self) -> tuple[dict[fx.Node, Shape], dict[fx.Node, Shape]]:
        """The shapes on taller and on wider images; none where the model does not take both."""
        channels, height, width = self._input_shape
        try:
            taller = feature_shapes(self._traced, (channels, _GROWTH * height, width))
            return taller, feature_shapes(self._traced, (channels, height, _GROWTH * width))
        except ValueError:
            return {}, {}


def _normalises_several_axes(layer: nn.Module) -> bool:
    return isinstance(layer, nn.LayerNorm) and len(layer.normalized_shape) > 1


def _by_growth(growths: Sequence[tuple[bool, bool]], wanted: Sequence[tuple[bool, bool]]) -> Order | None:
    """The axes that grow as is wanted of each, if there is exactly one for each."""
    return tuple(map(growths.index, wanted)) if sorted(growths) == sorted(wanted) else None


def feature_shapes(traced: TracedModel, input_shape: Shape) -> dict[fx.Node, Shape]:
    """Shape of one image's value at each node that has a tensor with an entry for each image.

    Raises:
        UserError: The model takes other images than `input_shape`.
    """
    recorder = _ShapeRecorder(traced)
    try:
        with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True):
            recorder.run(torch.empty(_BATCH, *input_shape))
    except Exception as error:  # a model may refuse them in any way
        raise UserError(
            f"the teacher must take images of shape {input_shape}, it failed: {reason(error)}"
        ) from error
    return {node: shape[1:] for node, shape in recorder.shapes.items() if shape[:1] == (_BATCH,)}


class _ShapeRecorder(fx.Interpreter):
    """Runs a graph and keeps the shape of each tensor."""

    def __init__(self, traced: TracedModel) -> None:
        super().__init__(traced.module, graph=traced.graph)
        self.extra_traceback = False
        self.shapes: dict[fx.Node, Shape] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, Tensor):
            self.shapes[n] = tuple(value.shape)
        return value
