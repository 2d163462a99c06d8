"""An optimiser step: in 16 bits, compiled, in several processes, as the settings say."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nasray.search_spaces.chain.network import Network
from nasray.trainables.core.compute import DTYPES
from nasray.trainables.core.process_group import current_group
from nasray.trainables.settings.compute import ComputeConfig

# Modules of one class share their compiled variants: of operations, one for each that differs in its widths.
_MAX_VARIANTS = 1024


class OptimizerStep:
    """An optimiser, and the function from whose results its gradients come.

    All that is left out here runs as it is written, in float32: evaluations, ratings, a teacher's features.

    Attributes:
        optimizer: The optimiser.
    """

    def __init__(
        self,
        run: Callable[..., Any],
        modules: Sequence[nn.Module],
        optimizer: torch.optim.Optimizer,
        compute: ComputeConfig,
        *,
        compiled: Iterable[nn.Module] = (),
    ) -> None:
        """Updates of the weights of `modules`, which are on the device.

        Args:
            run: Gives a loss, and what else is wanted, of a batch; what `modules` give must be turned to float32 before
                losses are made of it.
            modules: What is trained.
            optimizer: Of their parameters.
            compute: How it is computed.
            compiled: Which modules, or modules of them, are compiled if the config asks for it.
        """
        self.optimizer = optimizer
        self._parameters = [parameter for module in modules for parameter in module.parameters()]
        kind = self._parameters[0].device.type
        self._autocast = torch.autocast(
            kind, DTYPES[compute.precision], enabled=compute.precision != "float32"
        )
        self._scaler = torch.amp.GradScaler(kind, enabled=compute.precision == "float16")
        if compute.compile:
            _compile(compiled)
        self._compiles = compute.compile
        self._run = current_group().synchronised(run, modules)

    def __call__(self, *arguments: Any) -> Any:
        """What the function gives, for an update by a loss that is part of it."""
        if not self._compiles:
            with self._autocast:
                return self._run(*arguments)
        with self._autocast, torch.compiler.set_stance("default"):
            return self._run(*arguments)

    def update(self, loss: Tensor, clip_norm: float | None = None) -> None:
        """One update; `clip_norm` is the largest norm of all gradients together.

        Weights that the loss does not depend on have no gradient (not a zero one), so that the optimiser leaves them
        and their moments alone.
        """
        self.optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        if clip_norm is not None:
            self._scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self._parameters, clip_norm)
        self._scaler.step(self.optimizer)
        self._scaler.update()

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of all weights."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def state_dict(self) -> dict[str, Any]:
        """The optimiser's state, and the scale of gradients in float16."""
        return {"optimizer": self.optimizer.state_dict(), "scaler": self._scaler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])


def parts_of(model: nn.Module) -> list[nn.Module]:
    """What of a model is compiled: the blocks and the head of a network, which may be called one by one."""
    return [*model.blocks, model.head] if isinstance(model, Network) else [model]


def _compile(modules: Iterable[nn.Module]) -> None:
    """Compile modules, in place, for where it is asked for; elsewhere they run as they are written."""
    torch._dynamo.config.recompile_limit = _MAX_VARIANTS
    torch.compiler.set_stance("force_eager")
    for module in modules:
        module.compile()
