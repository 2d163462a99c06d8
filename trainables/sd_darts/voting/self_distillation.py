"""The distribution that the teachers draw the supernet to, and the loss that does it.

Source: SD-DARTS (Zhu et al., arXiv 2302.05629) [our reading of its abstract, see `config.py`].
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nasray.trainables.core.losses import logit_loss
from nasray.trainables.sd_darts.halves import Batch
from nasray.trainables.sd_darts.voting import votes
from nasray.trainables.sd_darts.voting.teachers import Teachers
from nasray.trainables.settings.sd_darts import SelfDistillationConfig


class SelfDistillation:
    """The teachers of a supernet with the term that they add to its loss."""

    def __init__(self, teachers: Teachers, config: SelfDistillationConfig) -> None:
        self._teachers, self._config = teachers, config
        self._epoch = self._num_steps = 0

    def applies_to(self, part: str) -> bool:
        """Whether the term belongs to the loss of "weights" or "alpha"."""
        return self._config.applies_to in (part, "both")

    def start_epoch(self, epoch: int) -> None:
        """Begin an epoch, counted from 0."""
        self._epoch = epoch
        self._teachers.discard_unused()

    def target(self, batch: Batch) -> Tensor | None:
        """Probabilities [B, num_classes], at the temperature; None before the first epoch or the first teacher."""
        if self._epoch < self._config.start_epoch:
            return None
        logits = self._teachers.logits(batch.rows, batch.images)
        if logits is None:
            return None
        voted = votes.vote(logits, self._config.temperature, self._config.vote)
        if self._config.target == "vote":
            return voted
        return votes.smoothed_labels(batch.labels, voted.shape[-1], votes.entropy(voted))

    def loss(self, target: Tensor, logits: Tensor) -> Tensor:
        """The term that is added to the cross-entropy: weight * temperature^2 * KL(target || logits), batch mean."""
        return self._config.weight * logit_loss(target, logits, self._config.temperature)

    def record(self, batch: Batch, logits: Tensor) -> None:
        """Tell the teachers what the supernet said of a training batch."""
        self._teachers.record(batch.rows, logits.detach())

    def after_step(self) -> None:
        """Tell the teachers that the weights were updated."""
        self._teachers.after_step(self._num_steps)
        self._num_steps += 1

    def after_epoch(self) -> None:
        """Tell the teachers that the epoch has ended."""
        self._teachers.after_epoch(self._epoch)

    def state_dict(self) -> dict[str, Any]:
        """Teachers, and the number of steps so far."""
        return {"teachers": self._teachers.state_dict(), "num_steps": self._num_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`; unchanged where that fails.

        Raises:
            DamagedCheckpointError: A teacher's file is missing or has changed.
        """
        self._teachers.load_state_dict(state["teachers"])
        self._num_steps = state["num_steps"]


def gradient_norm(loss: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """The norm of a loss's gradient over all parameters; its graph is kept."""
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return torch.linalg.vector_norm(torch.stack([g.norm() for g in gradients if g is not None]))
