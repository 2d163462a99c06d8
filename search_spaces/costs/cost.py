"""The cost of a module: parameters and multiply-accumulates, measured without memory or arithmetic."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel

from nasray.search_spaces.costs.mac_counter import MacCounter


@dataclass(frozen=True, slots=True)
class Cost:
    """Parameters and multiply-accumulates, additive over the parts of a network.

    Attributes:
        num_params: Parameters, those of batch norms included; what stands under several names counts once.
        num_macs: Multiply-accumulates for one image in convolutions, linear layers, matrix products and attention; none
            in elementwise functions, norms, pooling and resampling. What a module with a method
            `num_macs(input_shape)`, given (C, H, W), tells of itself is taken as it is. A lower bound where operators
            are uncounted.
        uncounted: Names of the operators that may do multiply-accumulates, but cannot be counted.
    """

    num_params: int
    num_macs: int
    uncounted: frozenset[str] = frozenset()
    zero: ClassVar["Cost"]

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.num_params + other.num_params,
            self.num_macs + other.num_macs,
            self.uncounted | other.uncounted,
        )


Cost.zero = Cost(0, 0)


def measure(module: nn.Module, input_shape: tuple[int, ...]) -> Cost:
    """The cost of `module` in evaluation mode on one input of `input_shape`, given without the batch."""
    return _measure(module, input_shape)[0]


def output_shape(module: nn.Module, input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that `module` makes of `input_shape`, both without the batch."""
    return _measure(module, input_shape)[1]


@cache
def measure_built(
    build: Callable[..., nn.Module], arguments: tuple[int, ...], input_shape: tuple[int, ...]
) -> tuple[Cost, tuple[int, ...]]:
    """Cost and output shape of `build(*arguments)`, measured once and remembered."""
    with torch.device("meta"):
        module = build(*arguments)
    return _measure(module, input_shape)


def _measure(module: nn.Module, input_shape: tuple[int, ...]) -> tuple[Cost, tuple[int, ...]]:
    counter = MacCounter(module)
    with torch.no_grad(), _evaluating(module), FakeTensorMode(allow_non_fake_inputs=True), counter:
        tensors = dict(module.named_parameters()) | dict(module.named_buffers())
        fakes = {name: torch.empty(tensor.shape, dtype=tensor.dtype) for name, tensor in tensors.items()}
        output = torch.func.functional_call(module, fakes, torch.empty(1, *input_shape))
    num_params = sum(parameter.numel() for parameter in module.parameters())
    return Cost(num_params, counter.num_macs, frozenset(counter.uncounted)), tuple(output.shape[1:])


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
