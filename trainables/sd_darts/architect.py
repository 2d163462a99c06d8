"""The gradient of the validation loss with respect to the alphas, at the present weights or one step ahead.

Source: DARTS (Liu et al., ICLR 2019, arXiv 1806.09055), equations 5 to 8. As in the released code, the virtual step has
momentum and weight decay and no gradient clipping. Deviations: every pass of the second order starts from the same
random numbers and batch-norm statistics and leaves them so (noise that differed between the two sides would drown their
difference); the factor of Nesterov's momentum is taken into account.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.sgd import sgd

from nasray.errors import UserError
from nasray.trainables.sd_darts.sharpness.preserved import preserved

Loss = Callable[[], Tensor]


def first_order(val_loss: Loss, arch_parameters: Sequence[Tensor]) -> list[Tensor]:
    """Gradient of L_val(w, alpha) with respect to each alpha; zero for those without influence."""
    return list(torch.autograd.grad(val_loss(), arch_parameters, materialize_grads=True))


def second_order(
    train_loss: Loss,
    val_loss: Loss,
    parameters: Sequence[Tensor],
    arch_parameters: Sequence[Tensor],
    optimizer: torch.optim.SGD,
    *,
    buffers: Iterable[Tensor] = (),
    epsilon: float = 0.01,
) -> list[Tensor]:
    """Gradient of L_val(w', alpha) with respect to each alpha, w' being the weights after one virtual SGD step.

    The step is w' = w - lr d as the optimizer would take it. Of what d is made of, only the fresh gradient depends on
    alpha, and it enters d with the factor c = 1 + momentum under Nesterov's momentum, else c = 1: weight decay and the
    momentum buffer only shift w'. Hence, with lr and c of each parameter's group,

        dL_val/dalpha = grad_alpha L_val(w', alpha) - grad_alpha grad_w L_train(w, alpha) . u,
        u = lr c grad_w' L_val(w', alpha),

    where the product is (grad_alpha L_train(w + h u) - grad_alpha L_train(w - h u)) / 2h, h = epsilon / ||u||. As in
    SGD, parameters that have no gradient of L_train stay where they are.

    Args:
        train_loss: Gives L_train at the present values; called three times.
        val_loss: Gives L_val at the present values; called once.
        parameters: The weights w, all of them in the optimizer.
        arch_parameters: The alphas.
        optimizer: Whose step it is; neither it nor its state is changed.
        buffers: What the passes may change and must find restored: the running statistics of batch norms.
        epsilon: Length of the steps to both sides.

    Raises:
        UserError: The optimizer has dampening or maximizes, or a parameter is not in it.
    """
    groups = _groups(optimizer, parameters)
    kept = [*parameters, *buffers]
    with preserved(kept):
        gradients = torch.autograd.grad(train_loss(), parameters, allow_unused=True)
    moving = [(w, g) for w, g in zip(parameters, gradients, strict=True) if g is not None]
    weights = [weight for weight, _ in moving]
    with preserved(kept):
        rates = [_step(w, g, groups[w], optimizer.state.get(w, {})) for w, g in moving]
        ahead = torch.autograd.grad(val_loss(), [*arch_parameters, *weights], materialize_grads=True)
    direct, by_weight = ahead[: len(arch_parameters)], ahead[len(arch_parameters) :]
    direction = [rate * gradient for rate, gradient in zip(rates, by_weight, strict=True)]

    def gradient_beside(size: Tensor) -> tuple[Tensor, ...]:
        with preserved(kept):
            _move(weights, direction, size)
            return torch.autograd.grad(train_loss(), arch_parameters, materialize_grads=True)

    through_weights = _derivative(gradient_beside, _step_size(direction, epsilon))
    return [d - t for d, t in zip(direct, through_weights, strict=True)]


def _groups(optimizer: torch.optim.SGD, parameters: Sequence[Tensor]) -> dict[Tensor, dict[str, Any]]:
    """The optimizer's group of each of its parameters."""
    groups = {parameter: group for group in optimizer.param_groups for parameter in group["params"]}
    missing = sum(parameter not in groups for parameter in parameters)
    if missing:
        raise UserError(f"all weights must be in the optimizer, {missing} are not: give it every parameter")
    for group in optimizer.param_groups:
        if group["dampening"] != 0 or group["maximize"]:
            raise UserError(
                "the second order must have an SGD without dampening that minimizes, got "
                f"dampening={group['dampening']}, maximize={group['maximize']}: leave both at their defaults"
            )
    return groups


@torch.no_grad()
def _step(weight: Tensor, gradient: Tensor, group: dict[str, Any], state: dict[str, Any]) -> float:
    """Moves the weight as the group's SGD would, its state apart; returns how far a unit of gradient moves it."""
    buffer = state.get("momentum_buffer")
    settings = {name: group[name] for name in ("lr", "momentum", "weight_decay", "nesterov")}
    sgd(
        [weight],
        [gradient],
        [None if buffer is None else buffer.clone()],
        **settings,
        dampening=0,
        maximize=False,
        foreach=False,
    )
    return float(group["lr"]) * (1 + group["momentum"] * group["nesterov"])


def _step_size(direction: Sequence[Tensor], epsilon: float) -> Tensor:
    """The multiple of the direction that is `epsilon` long; of a direction of zero, any one will do."""
    norm = torch.nn.utils.get_total_norm(direction)
    return epsilon / torch.where(norm > 0, norm, torch.ones_like(norm))


@torch.no_grad()
def _move(weights: Sequence[Tensor], direction: Sequence[Tensor], size: Tensor) -> None:
    for weight, along in zip(weights, direction, strict=True):
        weight.add_(size * along)


def _derivative(function: Callable[[Tensor], tuple[Tensor, ...]], size: Tensor) -> list[Tensor]:
    """Derivative of the function's values at 0, by a central difference over `size` to both sides."""
    return [
        (above - below) / (2 * size) for above, below in zip(function(size), function(-size), strict=True)
    ]
