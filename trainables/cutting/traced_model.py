"""A model as a graph of operations, from which pieces can be cut out."""

import copy
from collections.abc import Callable
from functools import cached_property
from typing import Any

from torch import fx, nn
from torchvision.ops import DeformConv2d

from nasray.errors import UserError

Shape = tuple[int, ...]
Order = tuple[int, ...]
"""Axes of one image's value, counted without the batch, as they are to follow each other."""


class TracedModel:
    """A copy of a model in evaluation mode, frozen, with the graph of its operations.

    Attributes:
        module: The copy.
        images: Node of the model's input.
        output: Node of the model's output.
        returned: Per submodule, by its name, the node of the value that it returned last.
    """

    def __init__(self, model: nn.Module) -> None:
        """Traces a copy of `model` with torch.fx.

        Raises:
            UserError: The model cannot be traced, or is not a function of the images alone to one tensor.
        """
        self.module = _frozen_copy(model)
        tracer = _Tracer()
        try:
            self.graph = tracer.trace(self.module)
        except Exception as error:
            raise UserError(
                f"{type(model).__name__} must be traceable by torch.fx, with a forward that takes the images "
                f"alone and never branches on their values or shapes; tracing it failed: {error}"
            ) from error
        inputs = self.graph.find_nodes(op="placeholder")
        output = self.graph.output_node().args[0]
        if len(inputs) != 1 or not isinstance(output, fx.Node):
            raise UserError(
                f"{type(model).__name__} must take the images alone and return one tensor, "
                f"it takes {', '.join(map(str, inputs))} and returns {output}"
            )
        for node in self.graph.nodes:
            if node.kwargs.get("inplace"):
                node.update_kwarg("inplace", False)
        self.images, self.output, self.returned = inputs[0], output, tracer.returned

    @cached_property
    def position(self) -> dict[fx.Node, int]:
        """Where each node stands in the order of execution."""
        return {node: position for position, node in enumerate(self.graph.nodes)}

    @cached_property
    def crossing(self) -> dict[fx.Node, list[fx.Node]]:
        """Per node, the values computed from the images before it and used after it, besides its own."""
        crossing: dict[fx.Node, list[fx.Node]] = {}
        of_images: set[fx.Node] = {self.images}
        open_values: list[fx.Node] = []
        for node in self.graph.nodes:
            open_values = [value for value in open_values if self._last_use(value) > self.position[node]]
            crossing[node] = open_values
            if not of_images.isdisjoint([node, *node.all_input_nodes]):
                of_images.add(node)
                open_values = [*open_values, node]
        return crossing

    def piece(
        self, start: fx.Node, end: fx.Node, *, taken: Order | None = None, given: Order | None = None
    ) -> fx.GraphModule:
        """A module that computes the value of `end` from that of `start`, which no other value may cross.

        Args:
            start: Node before the piece.
            end: The piece's last node.
            taken: In which order the piece is given the axes of the value of `start`; None: as the model has them.
            given: In which order it gives those of the value of `end`.
        """
        needed, waiting = {start}, [end]
        while waiting:
            node = waiting.pop()
            if node not in needed:
                needed.add(node)
                waiting.extend(node.all_input_nodes)
        graph = fx.Graph()
        features = graph.placeholder("features")
        copies = {start: _reordered(graph, features, None if taken is None else _inverse(taken))}
        for node in self.graph.nodes:
            if node in needed and node is not start:
                copies[node] = graph.node_copy(node, copies.__getitem__)
        graph.output(_reordered(graph, copies[end], given))
        return fx.GraphModule(self.module, graph)

    def _last_use(self, value: fx.Node) -> int:
        return max(map(self.position.__getitem__, value.users), default=-1)


def _reordered(graph: fx.Graph, value: fx.Node, order: Order | None) -> fx.Node:
    """The value with its axes in another order; no node is added where that is theirs."""
    if order is None or order == tuple(range(len(order))):
        return value
    moved = graph.call_method("permute", (value, (0, *(axis + 1 for axis in order))))
    return graph.call_method("contiguous", (moved,))  # the model may view it as it views its own


def _inverse(order: Order) -> Order:
    """The order that takes back what another one did."""
    return tuple(order.index(axis) for axis in range(len(order)))


class _Tracer(fx.Tracer):
    """Traces a model and keeps which node each submodule returned."""

    def __init__(self) -> None:
        super().__init__()
        self.returned: dict[str, fx.Node] = {}

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """PyTorch's layers are not looked into, nor is torchvision's one whose checks of shapes cannot be traced."""
        return isinstance(m, DeformConv2d) or super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        value = super().call_module(m, forward, args, kwargs)
        if isinstance(value, fx.Proxy):
            self.returned[self.path_of_module(m)] = value.node
        return value


def _frozen_copy(model: nn.Module) -> nn.Module:
    frozen = copy.deepcopy(model).eval().requires_grad_(False)
    for module in frozen.modules():
        if hasattr(module, "inplace"):
            # A piece that starts in place would overwrite the features that the piece before it gave.
            module.inplace = False  # type: ignore[assignment]
    return frozen
