"""Trial of a user's operations, before anything runs: that their layers keep to what supernets rely on."""

import copy
import time
from functools import partial

import torch

from nasray.search_spaces.build import SHIPPED_OPERATIONS
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.operations.layer import Layer, Shape
from nasray.trainables.trials.module_trial import COMMON, Check, ModuleTrial, try_module

_NUM_INPUTS = 2


def try_operations(space: SearchSpace) -> str | None:
    """Try each layer that the space asks of an operation that does not ship, on the CPU, on maps of noise.

    Returns:
        What was tried and how long it took, in a sentence; None where all operations ship.

    Raises:
        UserError: An operation does not keep to what supernets rely on.
    """
    start = time.monotonic()
    layers: dict[tuple[Layer, int], Shape] = {}
    for layer, shape in space.distinct_layers():
        if SHIPPED_OPERATIONS.get(layer.operation) is not space.operations[layer.operation]:
            layers.setdefault((layer, shape[0]), shape)
    if not layers:
        return None
    with torch.random.fork_rng(devices=[]):
        for (layer, _), shape in layers.items():
            names = _try(space, layer, shape)
    operations = ", ".join(sorted({layer.operation for layer, _ in layers}))
    seconds = time.monotonic() - start
    return f"operations {operations} tried in {seconds:.1f} s, {len(layers)} layers: {', '.join(names)}"


def _try(space: SearchSpace, layer: Layer, input_shape: Shape) -> tuple[str, ...]:
    """The names of what a layer was held to."""
    arguments = (input_shape[0], layer.width, layer.stride)
    build = partial(layer.build, input_shape[0], space.operations)
    inputs = torch.randn(_NUM_INPUTS, *input_shape, generator=torch.Generator().manual_seed(0))
    trial = ModuleTrial(
        f"operation {layer.operation!r} with (in_channels, out_channels, stride) = {arguments}",
        build,
        build().eval(),
        inputs,
    )
    checks: tuple[Check, ...] = (
        ("shapes", partial(_shapes, layer.output_shape(input_shape))),
        *COMMON,
        ("gradients", _gradients),
    )
    return try_module(trial, checks)


def _shapes(expected: Shape, trial: ModuleTrial) -> None:
    shape = list(trial.outputs.shape)
    wanted = [_NUM_INPUTS, *expected]
    trial.require(shape == wanted, f"turn maps {list(trial.inputs.shape)} into {wanted}", f"{shape}")


@torch.enable_grad()
def _gradients(trial: ModuleTrial) -> None:
    """Shapes in training mode, and gradients of all that is trained by a loss that no norm makes constant."""
    module = copy.deepcopy(trial.module).train()
    inputs = trial.inputs.clone().requires_grad_()
    outputs = trial.run(module, inputs, "in training mode")
    trial.require(
        outputs.shape == trial.outputs.shape,
        f"give maps {list(trial.outputs.shape)} in training mode as in evaluation",
        f"{list(outputs.shape)}",
    )
    trained = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    of_inputs = not torch.equal(trial.outputs[0], trial.outputs[1])
    leaves = {"what enters it": inputs} | trained if of_inputs else trained
    if outputs.requires_grad:
        (outputs * torch.randn_like(outputs)).sum().backward()
    without = [name for name, leaf in leaves.items() if leaf.grad is None]
    trial.require(
        not without,
        "let the gradient reach its input and all its parameters in training mode",
        f"none at {', '.join(without)}",
        "leave out detach() and no_grad(), and parameters that it does not use",
    )
    infinite = [
        name for name, leaf in leaves.items() if leaf.grad is not None and not leaf.grad.isfinite().all()
    ]
    trial.require(not infinite, "have finite gradients in training mode", f"others at {', '.join(infinite)}")
