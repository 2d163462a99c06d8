"""Lower limits on a training step's time: its convolutions, and the memory traffic between them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

Action = Callable[[], object]
# How often each value is read or written, at least. A batch norm reads its input for the statistics and again to
# normalise it, and writes; backward it reads input and gradient for two sums, reads both again, and writes.
_NORM_PASSES, _ACTIVATION_PASSES = 8, 5


def bare_convolutions(network: nn.Module, run_pass: Action) -> Action:
    """What runs all convolutions of a pass, forward and backward, and nothing else."""
    calls: list[tuple[nn.Module, Tensor, Tensor]] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        calls.append((module, inputs[0].detach().requires_grad_(), torch.ones_like(output)))

    _run_noting(network, run_pass, (nn.Conv2d,), note)

    def run() -> None:
        for module, x, gradient in calls:
            torch.autograd.grad(module(x), [x, *module.parameters()], gradient)

    return run


def bare_traffic(network: nn.Module, run_pass: Action) -> Action:
    """What moves as many bytes as batch norms and activations must, forward and backward, by copies of their inputs.

    Shortcuts' sums, adapters' padding, the loss and the optimiser are left out: it is a lower bound.
    """
    copies: list[tuple[Tensor, Tensor, int]] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        passes = _NORM_PASSES if isinstance(module, nn.BatchNorm2d) else _ACTIVATION_PASSES
        copies.append((torch.empty_like(inputs[0]), inputs[0].detach().clone(), passes))

    _run_noting(
        network, run_pass, (nn.BatchNorm2d, nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.Sigmoid), note
    )

    def run() -> None:
        for target, source, passes in copies:
            for _ in range(passes // 2):  # a copy reads and writes
                target.copy_(source)
            if passes % 2:
                target.fill_(0.0)

    return run


def _run_noting(
    network: nn.Module, run_pass: Action, kinds: tuple[type, ...], note: Callable[..., None]
) -> None:
    """Run a pass, telling of every call of the network's modules of these kinds."""
    noted = [module for module in network.modules() if isinstance(module, kinds)]
    hooks = [module.register_forward_hook(note) for module in noted]
    with torch.no_grad():
        run_pass()
    for hook in hooks:
        hook.remove()
