"""The cost of a module, such as parameters and multiply-accumulates, measured without memory or arithmetic."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel

from nasray.search_spaces.artefacts.columns import NUM_MACS, NUM_PARAMS
from nasray.search_spaces.artefacts.costs import CostKind, counted_costs
from nasray.search_spaces.costs.counters import LowerBound
from nasray.search_spaces.names.attribute import load_attribute


@dataclass(frozen=True, slots=True)
class Cost:
    """What a module costs, additive over the parts of a network.

    Attributes:
        counts: Every counted cost by its name, see `nasray.search_spaces.artefacts.costs`.
        uncounted: Names of the operators that may do multiply-accumulates, but cannot be counted.
    """

    counts: Mapping[str, float]
    uncounted: frozenset[str] = frozenset()
    zero: ClassVar["Cost"]

    @property
    def num_params(self) -> int:
        """Parameters, those of batch norms included; what stands under several names counts once."""
        return int(self.counts.get(NUM_PARAMS, 0))

    @property
    def num_macs(self) -> int:
        """Multiply-accumulates for one image in convolutions, linear layers, matrix products and attention.

        There are none in elementwise functions, norms, pooling and resampling. What a module with a method
        `num_macs(input_shape)`, given (C, H, W), tells of itself is taken as it is. A lower bound where operators are
        uncounted.
        """
        return int(self.counts.get(NUM_MACS, 0))

    def __add__(self, other: "Cost") -> "Cost":
        names = {**self.counts, **other.counts}
        counts = {name: self.counts.get(name, 0) + other.counts.get(name, 0) for name in names}
        return Cost(counts, self.uncounted | other.uncounted)


Cost.zero = Cost({})


def measure(module: nn.Module, input_shape: tuple[int, ...]) -> Cost:
    """The cost of `module` in evaluation mode on one input of `input_shape`, given without the batch."""
    return _measure(module, input_shape, _counters())[0]


def output_shape(module: nn.Module, input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that `module` makes of `input_shape`, both without the batch."""
    return _measure(module, input_shape, ())[1]


def measure_built(
    build: Callable[..., nn.Module], arguments: tuple[Any, ...], input_shape: tuple[int, ...]
) -> tuple[Cost, tuple[int, ...]]:
    """Cost and output shape of `build(*arguments)`, measured once and remembered."""
    return _measure_built(build, arguments, input_shape, _counters())


@cache
def _measure_built(
    build: Callable[..., nn.Module],
    arguments: tuple[Any, ...],
    input_shape: tuple[int, ...],
    counters: tuple[CostKind, ...],
) -> tuple[Cost, tuple[int, ...]]:
    with torch.device("meta"):
        module = build(*arguments)
    return _measure(module, input_shape, counters)


def _counters() -> tuple[CostKind, ...]:
    return tuple(counted_costs())


def _measure(
    module: nn.Module, input_shape: tuple[int, ...], costs: tuple[CostKind, ...]
) -> tuple[Cost, tuple[int, ...]]:
    shapes: list[tuple[int, ...]] = []

    def run() -> Tensor:
        output = torch.func.functional_call(module, fakes, torch.empty(1, *input_shape))
        shapes.append(tuple(output.shape[1:]))
        return output

    counts, uncounted = dict[str, float](), frozenset[str]()
    with torch.no_grad(), _evaluating(module), FakeTensorMode(allow_non_fake_inputs=True):
        tensors = dict(module.named_parameters()) | dict(module.named_buffers())
        fakes = {name: torch.empty(tensor.shape, dtype=tensor.dtype) for name, tensor in tensors.items()}
        for cost in costs:
            counted = load_attribute(str(cost.counter))(module, run)
            if isinstance(counted, LowerBound):
                uncounted |= counted.uncounted
                counted = counted.count
            counts[cost.name] = counted
        if not shapes:
            run()
    return Cost(counts, uncounted), shapes[-1]


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    training = [part for part in module.modules() if part.training]
    fast_attention = torch.backends.mha.get_fastpath_enabled()
    module.eval()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        # Fused attention would hide its products from the counter.
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_attention)
        for part in training:
            part.training = True
