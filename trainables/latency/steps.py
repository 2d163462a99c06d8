"""The steps that a network is timed by: its stem, its layers and its head, each where it stands."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from torch import nn

from nasray.search_spaces.architecture import Architecture, Candidate
from nasray.search_spaces.chain.space import SearchSpace


class Step(NamedTuple):
    """A part of networks that is the same module in all that have it there.

    Attributes:
        part: Which part it is.
        block: The layer's block, from 0 on.
        layer: The layer's place in its block, from 0 on.
        operation: The layer's operation.
        in_channels: What enters the layer, or the head.
        width: What leaves the layer.
    """

    part: Literal["stem", "layer", "head"]
    block: int = 0
    layer: int = 0
    operation: str = ""
    in_channels: int = 0
    width: int = 0


def candidate_steps(space: SearchSpace, block: int, candidate: Candidate, in_channels: int) -> list[Step]:
    """The steps of a block when it is `candidate`: block 0 bears the stem, the last one the head.

    Args:
        space: The search space.
        block: The block's number, from 0 on.
        candidate: One of its candidates.
        in_channels: Channels at which the block is entered, as in the table of ratings.
    """
    steps = []
    if block == 0 and space.stem:
        steps.append(Step("stem"))
        in_channels = space.stem[-1].width
    for layer, operation in enumerate(candidate.operations):
        steps.append(Step("layer", block, layer, operation, in_channels, candidate.width))
        in_channels = candidate.width
    if block == len(space.blocks) - 1:
        steps.append(Step("head", in_channels=in_channels))
    return steps


def block_steps(space: SearchSpace, architecture: Architecture) -> list[list[Step]]:
    """The steps of an architecture, block by block."""
    steps, in_channels = [], space.input_shape[0]
    for block, candidate in enumerate(architecture.candidates):
        steps.append(candidate_steps(space, block, candidate, in_channels))
        in_channels = candidate.width
    return steps


def architecture_steps(space: SearchSpace, architecture: Architecture) -> list[Step]:
    """The steps of an architecture, first to last."""
    return [step for steps in block_steps(space, architecture) for step in steps]


def all_steps(space: SearchSpace) -> set[Step]:
    """Every step of every architecture."""
    return {step for block in range(len(space.blocks)) for step in _of_block(space, block)}


def build_step(space: SearchSpace, step: Step) -> nn.Module:
    """The step's module, freshly initialised."""
    if step.part == "stem":
        return space.build_stem()
    if step.part == "head":
        return space.build_head(step.in_channels)
    return space.build_layer(step.block, step.layer, step.operation, step.in_channels, step.width)


def _of_block(space: SearchSpace, block: int) -> Iterator[Step]:
    for in_channels in space.entry_widths(block):
        for cell in space.blocks[block].cells:
            for number in range(max(map(len, cell.operations))):
                # As many candidates as the longest list of choices show every choice of each layer.
                operations = tuple(choices[number % len(choices)] for choices in cell.operations)
                yield from candidate_steps(space, block, Candidate(cell.width, operations), in_channels)
