"""Trial of a user's module on a few inputs: what everything that trains, copies and keeps modules relies on."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from nasray.errors import UserError
from nasray.trainables.core.copying import copied
from nasray.trainables.core.weights import save_weights
from nasray.trainables.cutting.tracing import reason
from nasray.trainables.teacher.teacher import load_weights

_TOLERANCE = 1e-4  # of the norm; other sizes of a batch are summed in other orders


@dataclass(frozen=True)
class ModuleTrial:
    """A module on trial.

    Attributes:
        what: What it is, for messages.
        build: Gives another one, freshly initialised.
        module: The module, in evaluation mode; it is left as it is.
        inputs: Two or more different inputs, [B, ...].
    """

    what: str
    build: Callable[[], nn.Module]
    module: nn.Module
    inputs: Tensor

    @cached_property
    def outputs(self) -> Tensor:
        """What the module makes of the inputs in evaluation mode.

        Raises:
            UserError: It fails, or gives something else than a tensor with an entry for each.
        """
        outputs = self.run(self.module, self.inputs, "in evaluation mode")
        self.require(
            outputs.shape[:1] == self.inputs.shape[:1],
            f"give one entry per input, [{len(self.inputs)}, ...]",
            f"{list(outputs.shape)}",
        )
        return outputs

    def run(self, module: nn.Module, inputs: Tensor, how: str) -> Tensor:
        """What a module makes of inputs.

        Raises:
            UserError: It fails, or gives something else than a tensor.
        """
        shape = list(inputs.shape)
        try:
            outputs = module(inputs)
        except Exception as error:
            raise UserError(f"{self.what} must run on {shape} {how}, it failed: {reason(error)}") from error
        self.require(isinstance(outputs, Tensor), f"return one tensor {how}", type(outputs).__name__)
        return outputs

    def require(self, held: bool, requirement: str, given: str, remedy: str = "") -> None:
        """Refuse the module if it does not hold to what it must.

        Raises:
            UserError: It does not.
        """
        if not held:
            raise UserError(
                f"{self.what} must {requirement}, got {given}" + (f": {remedy}" if remedy else "")
            )


Check = tuple[str, Callable[[ModuleTrial], None]]


@torch.no_grad()
def try_module(trial: ModuleTrial, checks: Sequence[Check]) -> tuple[str, ...]:
    """Hold a module to all checks, and give their names.

    Raises:
        UserError: One of them fails.
    """
    for _, check in checks:
        check(trial)
    return tuple(name for name, _ in checks)


def alike(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors are the same up to rounding."""
    return first.shape == second.shape and bool((first - second).norm() <= _TOLERANCE * second.norm())


def _finite(trial: ModuleTrial) -> None:
    trial.require(
        bool(trial.outputs.isfinite().all()),
        "give finite outputs",
        "NaN or infinite ones",
        "look for such numbers in its weights, and for what overflows",
    )


def _repeated(trial: ModuleTrial) -> None:
    again = trial.run(trial.module, trial.inputs, "in evaluation mode")
    trial.require(
        alike(again, trial.outputs),
        "give the same twice in evaluation mode",
        "other outputs for the same inputs",
        "give dropout its training=self.training, and take no random numbers and no count of calls in evaluation",
    )


def _alone(trial: ModuleTrial) -> None:
    alone = trial.run(trial.module, trial.inputs[:1], "in evaluation mode")
    trial.require(
        alone.shape == trial.outputs[:1].shape,
        f"give {list(trial.outputs[:1].shape)} for one input alone",
        f"{list(alone.shape)}",
        "remove axes by flatten(1) or mean((2, 3)), not by squeeze() of all",
    )
    trial.require(
        alike(alone, trial.outputs[:1]),
        "give the same for an input alone and in a batch in evaluation mode",
        "other outputs",
        "take no means over the batch there, and let norms use their running statistics",
    )


def _copied(trial: ModuleTrial) -> None:
    trial.require(
        alike(trial.run(copied(trial.module, trial.what), trial.inputs, "as a copy"), trial.outputs),
        "give the same as a copy of it",
        "other outputs",
        "keep all that it computes with in parameters, buffers and plain attributes",
    )


def _reloaded(trial: ModuleTrial) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save_weights(trial.module, path)
        other = trial.build().eval()
        load_weights(other, path)
    trial.require(
        alike(trial.run(other, trial.inputs, "when it is loaded"), trial.outputs),
        "give the same when its weights are saved and loaded into another one",
        "other outputs",
        "register all that it computes with as parameters or buffers, which state_dict has",
    )


COMMON: tuple[Check, ...] = (
    ("finite outputs", _finite),
    ("the same twice", _repeated),
    ("the same alone and in a batch", _alone),
    ("the same as a copy", _copied),
    ("the same saved and loaded", _reloaded),
)
