"""The interface of what guides a supervised training beside the labels, such as a teacher."""

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from nasray.search_spaces.chain.network import Network


@dataclass(frozen=True, slots=True)
class Taught:
    """What a batch gives.

    Attributes:
        logits: The student's, [B, num_classes].
        loss: What is added to the labels' loss, a scalar.
        distances: The parts of the loss before they are weighted, detached scalars by name.
    """

    logits: Tensor
    loss: Tensor
    distances: dict[str, Tensor]


class Guide(Protocol):
    """What guides a training beside the labels.

    Attributes:
        adapters: What is trained beside the student, and dropped at the end.
    """

    adapters: nn.ModuleList

    def start_epoch(self, epoch: int) -> None:
        """Begin an epoch, counted from 0."""

    def __call__(self, student: Network, images: Tensor) -> Taught:
        """The student's answer to images [B, C, H, W], and what is added to the loss."""

    def state_dict(self) -> dict[str, Any]:
        """All that the next epoch depends on."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
