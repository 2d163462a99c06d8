"""A model as a graph of operations, from which pieces can be cut out."""

from functools import cached_property

from torch import fx, jit, nn

from nasray.errors import UserError
from nasray.trainables.core.copying import copied
from nasray.trainables.cutting.batch_sizes import batch_sizes
from nasray.trainables.cutting.tracing import Tracer

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
        name, tracer = type(model).__name__, Tracer()
        if isinstance(model, jit.ScriptModule):
            raise UserError(
                f"{name} must be traceable by torch.fx, which a whole that torch.jit made is not: give the module that "
                "it was made from; parts of it may be scripted"
            )
        self.module = _frozen_copy(model)
        self.graph = tracer.trace_of_images(self.module, name)
        inputs = self.graph.find_nodes(op="placeholder")
        output = self.graph.output_node().args[0]
        if len(inputs) != 1 or not isinstance(output, fx.Node):
            raise UserError(
                f"{name} must take the images alone and return one tensor, "
                f"it takes {', '.join(map(str, inputs))} and returns {output}"
            )
        for node in self.graph.nodes:
            if node.kwargs.get("inplace"):
                node.update_kwarg("inplace", False)
        self.images, self.output = inputs[0], output
        self.returned = tracer.returned
        self._batch_sizes, self._their_shapes = batch_sizes(self.images)

    @cached_property
    def position(self) -> dict[fx.Node, int]:
        """Where each node stands in the order of execution."""
        return {node: position for position, node in enumerate(self.graph.nodes)}

    @cached_property
    def by_any_name(self) -> dict[str, fx.Node]:
        """As `returned`, and by each further name of a submodule that has several."""
        modules = dict(self.module.named_modules(remove_duplicate=False))
        nodes = {modules[name]: node for name, node in self.returned.items()}
        return {name: nodes[module] for name, module in modules.items() if module in nodes}

    @cached_property
    def crossing(self) -> dict[fx.Node, list[fx.Node]]:
        """Per node, the values computed from the images before it and used after it, besides its own.

        How many images there are is no such value: what follows a cut can tell it from the features.
        """
        told_anywhere = self._batch_sizes | self._their_shapes
        crossing: dict[fx.Node, list[fx.Node]] = {}
        of_images: set[fx.Node] = {self.images}
        open_values: list[fx.Node] = []
        for node in self.graph.nodes:
            open_values = [value for value in open_values if self._last_use(value) > self.position[node]]
            crossing[node] = open_values
            if node not in told_anywhere and not of_images.isdisjoint([node, *node.all_input_nodes]):
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
                waiting.extend(() if node in self._batch_sizes else node.all_input_nodes)
        graph = fx.Graph()
        features = graph.placeholder("features")
        copies = {start: _reordered(graph, features, None if taken is None else _inverse(taken))}
        for node in self._batch_sizes & needed:
            copies[node] = graph.call_method("size", (features, 0))
        for node in self.graph.nodes:
            if node in needed and node not in copies:
                copies[node] = graph.node_copy(node, copies.__getitem__)
        graph.output(_reordered(graph, copies[end], given))
        return fx.GraphModule(self.module, graph)

    def _last_use(self, value: fx.Node) -> int:
        """The position of the last node that uses a value for more than how many images there are."""
        users = value.users.keys() - self._batch_sizes - self._their_shapes
        return max(map(self.position.__getitem__, users), default=-1)


def _reordered(graph: fx.Graph, value: fx.Node, order: Order | None) -> fx.Node:
    """The value with its axes in another order; no node is added where that is theirs."""
    if order is None or order == tuple(range(len(order))):
        return value
    moved = graph.call_method("permute", (value, (0, *(axis + 1 for axis in order))))
    return graph.call_method("contiguous", (moved,))  # the model may view it as it views its own


def _inverse(order: Order) -> Order:
    """The order that takes back what another one did."""
    return tuple(order.index(axis) for axis in range(len(order)))


def _frozen_copy(model: nn.Module) -> nn.Module:
    frozen = copied(model, type(model).__name__).eval().requires_grad_(False)
    for module in frozen.modules():
        if hasattr(module, "inplace") and not isinstance(module, jit.ScriptModule):
            # A piece that starts in place would overwrite the features that the piece before it gave.
            module.inplace = False  # type: ignore[assignment]
    return frozen
