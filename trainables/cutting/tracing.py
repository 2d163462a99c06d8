"""Tracing of a model by torch.fx as a function of the images alone."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import fx, jit, nn
from torchvision.ops import DeformConv2d

from nasray.errors import UserError
from nasray.search_spaces.names.attribute import place_of


class Tracer(fx.Tracer):
    """Traces a model and keeps which node each submodule returned.

    Attributes:
        returned: Per submodule, by its name, the node of the value that it returned last.
    """

    def __init__(self) -> None:
        super().__init__()
        self.returned: dict[str, fx.Node] = {}

    def trace_of_images(self, model: nn.Module, name: str) -> fx.Graph:
        """The graph of what the model makes of images, all else that it can be given being as it is by default.

        Args:
            model: The model.
            name: What it is called in messages.

        Raises:
            UserError: It cannot be traced.
        """
        try:
            with _given_images_alone(model):
                return self.trace(model)
        except Exception as error:
            raise UserError(
                f"{name} must be traceable by torch.fx, with a forward that takes the images alone, or more that has "
                f"defaults, and never branches on their values or shapes; tracing it failed: {reason(error)}"
            ) from error

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """PyTorch's layers are not looked into, nor what is scripted, nor one of torchvision's that checks shapes."""
        return isinstance(m, DeformConv2d | jit.ScriptModule) or super().is_leaf_module(
            m, module_qualified_name
        )

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """What a submodule returns, which is kept, but for scripted ones, into which no hook can be put to look."""
        value = super().call_module(m, forward, args, kwargs)
        if isinstance(value, fx.Proxy) and not isinstance(m, jit.ScriptModule):
            self.returned[self.path_of_module(m)] = value.node
        return value


def reason(error: Exception) -> str:
    """An error's type, its text if it has one, and the innermost of the user's lines that it came through."""
    text = f": {error}" if str(error) else ""
    return f"{type(error).__name__}{text} ({place_of(error)})"


@contextmanager
def _given_images_alone(model: nn.Module) -> Iterator[None]:
    """Within, the model's forward takes one argument, so that defaults are their values and no nodes of the graph."""
    kind = type(model)
    forward: Any = kind.forward
    _, _, *others = inspect.signature(forward).parameters.values()
    optional = [
        one
        for one in others
        if one.default is not one.empty or one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    if not others or len(optional) < len(others):
        yield
        return

    class OfImages(kind):  # type: ignore[misc, valid-type]
        def forward(self, images: Any) -> Any:
            return forward(self, images)

    model.__class__ = OfImages
    try:
        yield
    finally:
        model.__class__ = kind
