"""A model cut at named submodules into pieces that run one after another."""

import itertools
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Literal, Self

import torch
from torch import Tensor, fx, nn

from search_spaces.network import Network
from search_spaces.suggestion import did_you_mean
from trainables.cut_points import cut_points
from trainables.traced_model import Shape, TracedModel

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

    The pieces are tried on random images: they must give what the whole model gives.

    Raises:
        ValueError: The model cannot be traced or takes other images; or a cut is unknown, out of order, crossed
            by another value than its own, or changes what is computed.
    """
    traced = TracedModel(model)
    nodes = [_node(traced, name) for name in cuts]
    for (name, node), (next_name, next_node) in itertools.pairwise(zip(cuts, nodes, strict=True)):
        if traced.position[node] >= traced.position[next_node]:
            raise ValueError(
                f"cuts must be in the order of execution, {next_name!r} does not come after {name!r}"
            )
    boundaries = [traced.images, *nodes, traced.output]
    pieces = [traced.piece(start, end) for start, end in itertools.pairwise(boundaries)]
    return CutTeacher(pieces, _try(traced.module, pieces, cuts, input_shape))


def resolve_cuts(
    model: nn.Module, cuts: Sequence[str] | Literal["auto"], input_shape: Shape, num_blocks: int
) -> list[str]:
    """The names of the cuts, one per block: as given, or found where `cuts` is "auto".

    Raises:
        ValueError: There are more or fewer cuts than blocks.
    """
    if cuts != "auto":
        found = list(cuts)
    elif isinstance(model, Network):
        found = [f"blocks.{block}" for block in range(len(model.blocks))]
    else:
        found = [point.name for point in cut_points(model, input_shape) if point.proposed]
    if len(found) != num_blocks:
        raise ValueError(
            f"teacher.cuts must name one submodule for each of the {num_blocks} blocks, "
            f"{'auto found' if cuts == 'auto' else 'got'} {len(found)}: {', '.join(found)} "
            "(`nasray inspect teacher` lists the possible ones)"
        )
    return found


def _node(traced: TracedModel, name: str) -> fx.Node:
    """The node at which the model can be cut behind the submodule `name`."""
    if name not in traced.returned:
        raise ValueError(
            "cuts must name submodules that the model runs, "
            f"got {name!r}{did_you_mean(name, traced.returned)}"
        )
    node = traced.returned[name]
    if traced.crossing[node]:
        crossing = ", ".join(map(str, traced.crossing[node]))
        raise ValueError(
            f"cut {name!r} must be the only way from the part before it to the part after it, "
            f"but {crossing} is computed before it and used after it"
        )
    return node


def _run(pieces: Iterable[nn.Module], images: Tensor) -> list[Tensor]:
    """The images, and what each of the pieces makes of them, one after another."""
    return list(itertools.accumulate(pieces, lambda features, piece: piece(features), initial=images))


@torch.no_grad()
def _try(
    model: nn.Module, pieces: Sequence[nn.Module], cuts: Sequence[str], input_shape: Shape
) -> list[Shape]:
    """The shapes of one image's features at all boundaries, if the pieces give what `model` gives."""
    tensors = itertools.chain(model.parameters(), model.buffers())
    device = next(tensors, torch.empty(0)).device
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(NUM_IMAGES_TRIED, *input_shape, generator=generator).to(device)
    expected = _outputs(model, cuts, images)
    features = _run(pieces, images)
    places = [*(f"cut {name!r}" for name in cuts), "the output"]
    for place, whole, part in zip(places, expected, features[1:], strict=True):
        if len(whole) != len(images):
            raise ValueError(
                f"{place} must give one entry per image, [B, ...], got {list(whole.shape)} for B={len(images)}"
            )
        if whole.shape != part.shape or not (part - whole).norm() <= TOLERANCE * whole.norm():
            raise ValueError(
                f"the pieces of the model must give what the whole gives, but they differ at {place}: "
                "its forward may depend on earlier calls or change features in place"
            )
    return [tuple(feature.shape[1:]) for feature in features[:-1]]


def _outputs(model: nn.Module, names: Sequence[str], images: Tensor) -> list[Tensor]:
    """What each named submodule and, last, the model itself return."""
    outputs: dict[str, Tensor] = {}
    with ExitStack() as stack:
        for name in names:

            def keep(_module: nn.Module, _arguments: tuple, output: Tensor, name: str = name) -> None:
                outputs[name] = output.clone()

            stack.enter_context(model.get_submodule(name).register_forward_hook(keep))
        try:
            logits = model(images)
        except Exception as error:
            shape = tuple(images.shape[1:])
            raise ValueError(
                f"the teacher must take images of shape {shape} and give a tensor at each cut, it failed: {error}"
            ) from error
    return [*(outputs[name] for name in names), logits]
