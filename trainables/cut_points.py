"""Where a model can be cut into blocks, what lies before each such point, and which points suit blocks."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from search_spaces.cost import measure
from trainables.traced_model import Shape, TracedModel

_BATCH = 2


@dataclass(frozen=True, slots=True)
class CutPoint:
    """A place where a model can be cut.

    Attributes:
        name: Submodule behind which the cut would be.
        shape: Shape of one image's features there.
        num_params: Parameters up to there.
        num_macs: Multiply-accumulates up to there, for one image.
        proposed: Whether it is the last sensible place before the size of the feature maps changes.
    """

    name: str
    shape: Shape
    num_params: int
    num_macs: int
    proposed: bool


def cut_points(model: nn.Module, input_shape: Shape) -> list[CutPoint]:
    """All submodules behind which `model` can be cut, in the order of execution.

    Raises:
        ValueError: The model cannot be traced or takes other images.
    """
    traced = TracedModel(model)
    shapes = _feature_shapes(traced, input_shape)
    names: dict[fx.Node, list[str]] = {}
    for name, node in traced.returned.items():
        if node in shapes and not traced.crossing[node]:
            names.setdefault(node, []).append(name)
    nodes = sorted(names, key=traced.position.__getitem__)
    innermost = [max(names[node], key=len) for node in nodes]
    proposed = _before_size_changes(innermost, [_size(shapes[node]) for node in nodes])
    points, num_macs, parameters = [], 0, set[nn.Parameter]()
    for number, (start, end) in enumerate(itertools.pairwise([traced.images, *nodes])):
        piece = traced.piece(start, end)
        num_macs += measure(piece, shapes[start]).num_macs
        parameters.update(piece.parameters())  # parts may share some
        num_params = sum(parameter.numel() for parameter in parameters)
        outermost = min(names[end], key=len)
        points.append(CutPoint(outermost, shapes[end], num_params, num_macs, number in proposed))
    return points


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


def _feature_shapes(traced: TracedModel, input_shape: Shape) -> dict[fx.Node, Shape]:
    """Shape of one image's value at each node that has a tensor with an entry for each image."""
    recorder = _ShapeRecorder(traced)
    try:
        with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True):
            recorder.run(torch.empty(_BATCH, *input_shape))
    except Exception as error:
        raise ValueError(
            f"the teacher must take images of shape {input_shape}, it failed: {error}"
        ) from error
    return {node: shape[1:] for node, shape in recorder.shapes.items() if shape[:1] == (_BATCH,)}


def _size(shape: Shape) -> Shape:
    """Height and width of maps (C, H, W), length of token sequences (N, C), nothing for single vectors."""
    size = shape[1:] if len(shape) == 3 else shape[:-1]
    return size if math.prod(size) > 1 else ()


def _before_size_changes(names: Sequence[str], sizes: Sequence[Shape]) -> set[int]:
    """Positions of the last point before each module that changes the size.

    That module is the outermost one with a single change: the whole stage, not the layer within it that does it.
    """
    changes = {point for point in range(1, len(sizes)) if sizes[point] != sizes[point - 1]}
    found = set()
    for change in changes:
        for module in itertools.accumulate(names[change].split("."), "{}.{}".format):
            inside = [point for point, name in enumerate(names) if f"{name}.".startswith(f"{module}.")]
            if len(changes.intersection(inside)) == 1:
                found.add(inside[0] - 1)
                break
    return {point for point in found if point >= 0 and sizes[point]}
