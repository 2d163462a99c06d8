"""The points at which a model can be cut into blocks, what lies before each, and which suit blocks."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from torch import fx, nn

from nasray.search_spaces.costs.cost import measure
from nasray.trainables.cutting.feature_layout import FeatureLayout, feature_shapes
from nasray.trainables.cutting.traced_model import Shape, TracedModel


@dataclass(frozen=True, slots=True)
class CutPoint:
    """A place where a model can be cut.

    Attributes:
        name: Submodule behind which the cut would be.
        shape: Shape of one image's features there, maps as (C, H, W), tokens as (N, C).
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

    Those where it cannot be told which axes of the features are which are left out, as `cut` refuses them.

    Raises:
        UserError: The model cannot be traced or takes other images.
    """
    traced = TracedModel(model)
    shapes, layout = feature_shapes(traced, input_shape), FeatureLayout(traced, input_shape)
    names: dict[fx.Node, list[str]] = {}
    ordered: dict[fx.Node, Shape] = {}
    for name, node in traced.returned.items():
        if node in shapes and not traced.crossing[node]:
            order = layout.order(node, shapes[node])
            if order is not None:
                ordered[node] = tuple(shapes[node][axis] for axis in order)
                names.setdefault(node, []).append(name)
    nodes = sorted(names, key=traced.position.__getitem__)
    innermost = [max(names[node], key=len) for node in nodes]
    proposed = _before_size_changes(innermost, [_size(ordered[node]) for node in nodes])
    points, num_macs, parameters = [], 0, set[nn.Parameter]()
    for number, (start, end) in enumerate(itertools.pairwise([traced.images, *nodes])):
        piece = traced.piece(start, end)
        num_macs += measure(piece, shapes[start]).num_macs
        parameters.update(piece.parameters())  # parts may share some
        num_params = sum(parameter.numel() for parameter in parameters)
        outermost = min(names[end], key=len)
        points.append(CutPoint(outermost, ordered[end], num_params, num_macs, number in proposed))
    return points


def why_so_few(model: nn.Module) -> str:
    """What stands in the way of most cuts, in a sentence's part; empty where nothing does."""
    traced = TracedModel(model)
    in_the_way = Counter(value for node in traced.returned.values() for value in traced.crossing[node])
    if not in_the_way:
        return ""
    ((value, number),) = in_the_way.most_common(1)
    return (
        f"{number} of {len(traced.returned)} submodules cannot be cut behind, since {value} ({_told(value)}) is "
        "computed before them and used after them"
    )


def _told(value: fx.Node) -> str:
    """A node's operation, with the submodule or the value that it is applied to."""
    operation = (
        value.target if isinstance(value.target, str) else getattr(value.target, "__name__", value.target)
    )
    return " ".join(map(str, [operation, *value.args]))


def _size(shape: Shape) -> Shape:
    """Height and width of maps (C, H, W), length of token sequences (N, C), nothing for single vectors."""
    size = shape[1:] if len(shape) == 3 else shape[:-1]
    return size if math.prod(size) > 1 else ()


def _before_size_changes(names: Sequence[str], sizes: Sequence[Shape]) -> set[int]:
    """Positions of the last point before each module that changes the size.

    That module is the outermost one with a single change that does not begin the model: the whole stage, not the layer
    within it that does it.
    """
    changes = {point for point in range(1, len(sizes)) if sizes[point] != sizes[point - 1]}
    found = set()
    for change in changes:
        for module in itertools.accumulate(names[change].split("."), "{}.{}".format):
            inside = [point for point, name in enumerate(names) if f"{name}.".startswith(f"{module}.")]
            if inside[0] > 0 and len(changes.intersection(inside)) == 1:
                found.add(inside[0] - 1)
                break
    return {point for point in found if sizes[point]}
