"""The nodes of a graph that give how many images there are, which every part of a model can tell by itself."""

import operator

from torch import fx


def batch_sizes(images: fx.Node) -> tuple[set[fx.Node], set[fx.Node]]:
    """The nodes that give the number of images, and those of the images' whole shape that serve nothing else."""
    shapes = {node for node in images.users if _is_whole_shape(node)}
    numbers = {node for node in images.users if node.target == "size" and _axis(node) == 0}
    numbers |= {
        node
        for shape in shapes
        for node in shape.users
        if node.target is operator.getitem and node.args[1] == 0
    }
    return numbers, {shape for shape in shapes if numbers.issuperset(shape.users)}


def _axis(size: fx.Node) -> object:
    return size.args[1] if len(size.args) > 1 else size.kwargs.get("dim")


def _is_whole_shape(node: fx.Node) -> bool:
    if node.op == "call_method":
        return node.target == "size" and _axis(node) is None
    return node.target is getattr and node.args[1:] == ("shape",)
