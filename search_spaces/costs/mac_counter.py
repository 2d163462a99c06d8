"""Counter of the multiply-accumulates of what runs within it, which names the operators that it cannot count."""

import math
from contextlib import ExitStack
from typing import Any, Protocol, Self, runtime_checkable

import torch
import torchvision.ops  # noqa: F401 (registers its operators)
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry, sdpa_flop_count

from nasray.errors import UserError
from nasray.search_spaces.costs.free_operators import is_free

_aten = torch.ops.aten
_FLOPS_PER_MAC = 2
_Size = tuple[int, ...]


@runtime_checkable
class CountsItself(Protocol):
    """A module that tells its own multiply-accumulates, which are then not counted."""

    def num_macs(self, input_shape: _Size) -> int:
        """Multiply-accumulates for one input of that shape, given without the batch."""


class MacCounter:
    """Counts the multiply-accumulates of convolutions, matrix products and attention; a context manager.

    Elementwise functions, norms, pooling and resampling count as none, see `free_operators`.

    Attributes:
        uncounted: Names of the operators that ran and are neither counted nor known to do none.
    """

    def __init__(self, module: nn.Module) -> None:
        """A counter of what `module` does, and of nothing that its parts tell by a method `num_macs`."""
        self.uncounted: set[str] = set()
        self._module, self._told = module, 0
        self._begun: list[tuple[int, set[str]]] = []
        self._counter = FlopCounterMode(display=False, custom_mapping=_FORMULAS)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for part in self._module.modules():
            if isinstance(part, CountsItself):
                self._stack.enter_context(part.register_forward_pre_hook(self._begin))
                self._stack.enter_context(part.register_forward_hook(self._take_its_word))
        self._stack.enter_context(
            _Watch(self.uncounted)
        )  # beneath the counter, which takes composite ones apart
        self._stack.enter_context(self._counter)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def num_macs(self) -> int:
        """Multiply-accumulates so far."""
        return self._counter.get_total_flops() // _FLOPS_PER_MAC + self._told

    def _begin(self, _module: nn.Module, _inputs: Any) -> None:
        self._begun.append((self.num_macs, set(self.uncounted)))

    def _take_its_word(self, module: nn.Module, inputs: Any, _output: Any) -> None:
        """Replace what was counted since the module began by what it tells."""
        assert isinstance(module, CountsItself)
        num_before, uncounted_before = self._begun.pop()
        shape = tuple(inputs[0].shape[1:])
        told = module.num_macs(shape)
        if not isinstance(told, int) or isinstance(told, bool) or told < 0:
            raise UserError(
                f"num_macs({shape}) of {type(module).__name__} must return a whole number from 0 on, got {told!r}"
            )
        self._told += num_before + told - self.num_macs
        self.uncounted.intersection_update(uncounted_before)


class _Watch(TorchDispatchMode):
    """Collects the names of operators that are neither counted nor free."""

    supports_higher_order_operators = True

    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self._names = names

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not _is_known(func):
            self._names.add(str(getattr(func, "overloadpacket", func)))
        return func(*args, **(kwargs or {}))


def _is_known(operator: Any) -> bool:
    """Whether an operator is counted or free; those of a higher order, which run others, have no packet."""
    if not isinstance(operator, torch._ops.OpOverload):
        return operator in flop_registry
    return operator.overloadpacket in _FORMULAS.keys() | flop_registry.keys() or is_free(operator)


# Floating-point operations, two for a multiply-accumulate, by the shapes of what an operator is given and gives.


def _batches_added(_added: _Size, first: _Size, second: _Size, *_: Any, **__: Any) -> int:
    """Of the sum of matrix products of [B, n, m] and [B, m, p]."""
    return _FLOPS_PER_MAC * math.prod(first) * second[-1]


def _matrix_by_vector(matrix: _Size, *_: Any, **__: Any) -> int:
    return _FLOPS_PER_MAC * math.prod(matrix)


def _matrix_by_vector_added(_added: _Size, matrix: _Size, *_: Any, **__: Any) -> int:
    return _FLOPS_PER_MAC * math.prod(matrix)


def _one_per_output(*_: Any, out_shape: _Size, **__: Any) -> int:
    return _FLOPS_PER_MAC * math.prod(out_shape)


def _affine_grid(*_: Any, out_shape: _Size, **__: Any) -> int:
    """Of grids [B, H, W, 2] or [B, D, H, W, 3], made by affine maps of positions."""
    return _FLOPS_PER_MAC * math.prod(out_shape) * (out_shape[-1] + 1)


def _attention(query: _Size, key: _Size, value: _Size, *_: Any, **__: Any) -> int:
    return sdpa_flop_count(query, key, value)


def _recurrent_layer(sequence: _Size, of_input: _Size, of_state: _Size, *_: Any, **__: Any) -> int:
    """Of a fused layer over [T, B, C], by the weights of its input and of its state."""
    return _FLOPS_PER_MAC * math.prod(sequence[:2]) * (math.prod(of_input) + math.prod(of_state))


def _deformable_convolution(_input: _Size, weight: _Size, *_: Any, out_shape: _Size, **__: Any) -> int:
    """Of its convolution; the sampling at the offsets is resampling."""
    return _FLOPS_PER_MAC * math.prod(out_shape) * math.prod(weight[1:])


_FORMULAS: dict[Any, Any] = {
    _aten.addbmm: _batches_added,
    _aten.mv: _matrix_by_vector,
    _aten.addmv: _matrix_by_vector_added,
    _aten.dot: _matrix_by_vector,
    _aten.vdot: _matrix_by_vector,
    _aten.addr: _one_per_output,
    _aten.affine_grid_generator: _affine_grid,
    _aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    _aten._scaled_dot_product_fused_attention_overrideable: _attention,
    _aten.mkldnn_rnn_layer: _recurrent_layer,
    torch.ops.torchvision.deform_conv2d: _deformable_convolution,
}
