"""Counters of the costs of modules, each the function that an entry of `nasray.search_spaces.artefacts.costs` names.

A counter is given a module in evaluation mode, and what runs it on one input without memory or arithmetic; what it
counts must add up over the parts of a network.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from nasray.search_spaces.costs.mac_counter import MacCounter

Run = Callable[[], Tensor]
"""Runs the module on one input, as often as it is called, and gives the output, [1, ...]."""


@dataclass(frozen=True, slots=True)
class LowerBound:
    """A count that lacks what some operators do.

    Attributes:
        count: What was counted.
        uncounted: Names of these operators.
    """

    count: int
    uncounted: frozenset[str]


Counter = Callable[[nn.Module, Run], float | LowerBound]


def num_params(module: nn.Module, run: Run) -> int:
    """Parameters, those of batch norms included; what stands under several names counts once."""
    return sum(parameter.numel() for parameter in module.parameters())


def num_macs(module: nn.Module, run: Run) -> LowerBound:
    """Multiply-accumulates for one input, see `MacCounter`."""
    with MacCounter(module) as counter:
        run()
    return LowerBound(counter.num_macs, frozenset(counter.uncounted))
