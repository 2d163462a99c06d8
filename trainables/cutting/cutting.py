"""A model cut at named submodules into pieces that run one after another."""

import itertools
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any, Literal, Self

import torch
from torch import Tensor, fx, nn

from nasray.errors import UserError
from nasray.search_spaces.chain.network import Network
from nasray.search_spaces.names.suggestion import did_you_mean
from nasray.trainables.cutting.cut_points import cut_points, why_so_few
from nasray.trainables.cutting.feature_layout import FeatureLayout
from nasray.trainables.cutting.traced_model import Order, Shape, TracedModel
from nasray.trainables.cutting.tracing import reason

TOLERANCE = 1e-4
NUM_IMAGES_TRIED = 2


class CutTeacher(nn.Module):
    """A frozen model in K + 1 pieces, the last of which is all that follows the last of the K cuts.

    Attributes:
        pieces: The pieces, in order.
        feature_shapes: Shapes of one image's features at boundary 0 (the image itself) to K.
    """

    def __init__(self, pieces: Iterable[nn.Module], feature_shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.pieces = nn.ModuleList(pieces)
        self.feature_shapes = tuple(feature_shapes)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, num_classes] of images [B, C, H, W]."""
        return self.features(images, up_to=len(self.pieces))[-1]

    def features(self, images: Tensor, up_to: int) -> list[Tensor]:
        """What stands at boundary 0 (the images [B, C, H, W]) to `up_to`, each [B, *feature_shapes[k]]."""
        return _run(self.pieces[:up_to], images)

    def train(self, mode: bool = True) -> Self:
        """Leaves the teacher in evaluation mode, whatever the mode of the module that holds it."""
        return super().train(False)


def cut(model: nn.Module, cuts: Sequence[str], input_shape: Shape) -> CutTeacher:
    """A frozen copy of `model`, cut behind the submodules named in `cuts`; `model` itself stays as it is.

    The pieces are tried on random images: they must give what the whole model gives. Features are brought to [B, C, H,
    W] or [B, N, C] where the model has their axes in another order.

    Raises:
        UserError: The model cannot be traced or takes other images; or a cut is unknown, out of order, crossed
            by another value than its own, changes what is computed, or has features of which it cannot be told what
            their axes are.
    """
    traced = TracedModel(model)
    nodes = [_node(traced, name) for name in cuts]
    for (name, node), (next_name, next_node) in itertools.pairwise(zip(cuts, nodes, strict=True)):
        if traced.position[node] >= traced.position[next_node]:
            raise UserError(
                f"cuts must be in the order of execution, {next_name!r} does not come after {name!r}"
            )
    images = random_images(traced.module, input_shape)
    expected = _outputs(traced.module, cuts, images)
    layout = FeatureLayout(traced, input_shape)
    orders = [
        _order(layout, name, node, tuple(whole.shape[1:]))
        for name, node, whole in zip(cuts, nodes, expected, strict=False)
    ]
    boundaries = [(traced.images, None), *zip(nodes, orders, strict=True), (traced.output, None)]
    pieces = [
        traced.piece(start, end, taken=taken, given=given)
        for (start, taken), (end, given) in itertools.pairwise(boundaries)
    ]
    return CutTeacher(pieces, _compare(pieces, images, expected, orders, cuts))


def resolve_cuts(
    model: nn.Module, cuts: Sequence[str] | Literal["auto"], input_shape: Shape, num_blocks: int
) -> list[str]:
    """The names of the cuts, one per block: as given, or found where `cuts` is "auto".

    Raises:
        UserError: There are more or fewer cuts than blocks.
    """
    if cuts != "auto":
        found = list(cuts)
    elif isinstance(model, Network):
        found = [f"blocks.{block}" for block in range(len(model.blocks))]
    else:
        found = [point.name for point in cut_points(model, input_shape) if point.proposed]
    if len(found) != num_blocks:
        raise UserError(
            f"teacher.cuts must name one submodule for each of the {num_blocks} blocks, "
            f"{'auto found' if cuts == 'auto' else 'got'} {len(found)}: {', '.join(found) or why_so_few(model)} "
            "(`nasray inspect teacher CONFIG` lists the possible ones)"
        )
    return found


def _node(traced: TracedModel, name: str) -> fx.Node:
    """The node at which the model can be cut behind the submodule `name`."""
    if name not in traced.by_any_name:
        raise UserError(
            "cuts must name submodules that the model runs, "
            f"got {name!r}{did_you_mean(name, traced.returned)}"
        )
    node = traced.by_any_name[name]
    if traced.crossing[node]:
        crossing = ", ".join(map(str, traced.crossing[node]))
        raise UserError(
            f"cut {name!r} must be the only way from the part before it to the part after it, "
            f"but {crossing} is computed before it and used after it"
        )
    return node


def _run(pieces: Iterable[nn.Module], images: Tensor) -> list[Tensor]:
    """The images, and what each of the pieces makes of them, one after another."""
    return list(itertools.accumulate(pieces, lambda features, piece: piece(features), initial=images))


def _order(layout: FeatureLayout, name: str, node: fx.Node, shape: Shape) -> Order:
    """The order in which the axes of the features at a cut are to be given.

    Raises:
        UserError: It cannot be told.
    """
    order = layout.order(node, shape)
    if order is None:
        raise UserError(
            f"cut {name!r} must give maps [B, C, H, W] or [B, H, W, C], or tokens [B, N, C], got {['B', *shape]}, of "
            "which it cannot be told what axes are channels, height and width: cut where a convolution, a norm or a "
            "linear layer follows (`nasray inspect teacher CONFIG` lists the possible cuts)"
        )
    return order


def random_images(model: nn.Module, input_shape: Shape) -> Tensor:
    """A few images of noise, always the same, on the model's device."""
    tensors = itertools.chain(model.parameters(), model.buffers())
    device = next(tensors, torch.empty(0)).device
    generator = torch.Generator().manual_seed(0)
    return torch.randn(NUM_IMAGES_TRIED, *input_shape, generator=generator).to(device)


@torch.no_grad()
def _compare(
    pieces: Sequence[nn.Module],
    images: Tensor,
    expected: Sequence[Tensor],
    orders: Sequence[Order],
    cuts: Sequence[str],
) -> list[Shape]:
    """The shapes of one image's features at all boundaries, if the pieces give what the whole model gives."""
    features = _run(pieces, images)
    places = [*(f"cut {name!r}" for name in cuts), "the output"]
    for place, whole in zip(places, expected, strict=True):
        if not whole.isfinite().all():
            raise UserError(
                f"the teacher must give finite values in evaluation mode, got NaN or infinite ones at {place}: look "
                "for such numbers in its weights and its norms' statistics, and for what overflows"
            )
    for place, whole, part, order in itertools.zip_longest(places, expected, features[1:], orders):
        ordered = whole if order is None else whole.permute(0, *(axis + 1 for axis in order))
        if ordered.shape != part.shape or not (part - ordered).norm() <= TOLERANCE * ordered.norm():
            raise UserError(
                f"the pieces of the model must give what the whole gives, but they differ at {place}: "
                "its forward may depend on earlier calls or change features in place"
            )
    return [tuple(feature.shape[1:]) for feature in features[:-1]]


@torch.no_grad()
def _outputs(model: nn.Module, names: Sequence[str], images: Tensor) -> list[Tensor]:
    """What each named submodule and, last, the model itself return, one entry per image each."""
    outputs: dict[str, Tensor] = {}
    with ExitStack() as stack:
        for name in names:

            def keep(
                _module: nn.Module, _arguments: tuple[Any, ...], output: Tensor, name: str = name
            ) -> None:
                outputs[name] = output.clone()

            stack.enter_context(model.get_submodule(name).register_forward_hook(keep))
        try:
            logits = model(images)
        except Exception as error:
            shape = tuple(images.shape[1:])
            raise UserError(
                f"the teacher must take images of shape {shape} and give a tensor at each cut, it failed: "
                f"{reason(error)}"
            ) from error
    found = [*(outputs[name] for name in names), logits]
    for place, value in zip([*(f"cut {name!r}" for name in names), "the output"], found, strict=True):
        if len(value) != len(images):
            raise UserError(
                f"{place} must give one entry per image, [B, ...], got {list(value.shape)} for B={len(images)}"
            )
    return found
