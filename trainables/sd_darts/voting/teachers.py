"""The teachers of a supernet, all of them its own earlier self: snapshots that vote, logits kept, or an average.

Source: SD-DARTS (arXiv 2302.05629) for the voting snapshots [our reading, see `config.py`]; the logits kept per image
follow the trajectory loss of SAF (Du et al., NeurIPS 2022, arXiv 2205.14083); the average is a mean teacher (Tarvainen
and Valpola, NeurIPS 2017, arXiv 1703.01780).
"""

from collections import deque
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from nasray.trainables.sd_darts.supernets.supernet import Supernet
from nasray.trainables.sd_darts.voting.earlier_selves import EarlierSelves, Tensors, state_of, tensors_of
from nasray.trainables.sd_darts.voting.snapshots import SnapshotFiles
from nasray.trainables.settings.sd_darts import SelfDistillationConfig


class Teachers(Protocol):
    """What the supernet's training asks of its teachers, and tells them."""

    def logits(self, rows: Tensor, images: Tensor) -> Tensor | None:
        """Logits [K, B, num_classes] for the training images of those row numbers; None while there is no teacher."""

    def record(self, rows: Tensor, logits: Tensor) -> None:
        """Take note of what the supernet said of training images."""

    def after_step(self, step: int) -> None:
        """Take note that the weights were updated; `step` counts from 0 over all epochs."""

    def after_epoch(self, epoch: int) -> None:
        """Take note that an epoch has ended."""

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs; larger parts stand in files of their own."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`; unchanged where that fails.

        Raises:
            DamagedCheckpointError: A file that the state refers to is missing or has changed.
        """

    def discard_unused(self) -> None:
        """Delete files that no checkpoint refers to any more."""


def build_teachers(
    config: SelfDistillationConfig, supernet: Supernet, folder: Path, *, num_images: int, num_classes: int
) -> Teachers:
    """The teachers that the config asks for; `folder` is for the snapshots' files."""
    if config.teacher == "ema":
        return EmaTeacher(config, supernet)
    if config.mode == "cache":
        nothing_said = torch.zeros(num_images, num_classes, device=next(supernet.parameters()).device)
        return CachedLogits(config, SnapshotFiles(folder), nothing_said)
    return SnapshotTeachers(config, supernet, SnapshotFiles(folder))


class _Queue:
    """The last K snapshots, oldest first, and their files."""

    def __init__(self, length: int, files: SnapshotFiles) -> None:
        self.entries: deque[tuple[str, Tensors]] = deque(maxlen=length)
        self._files = files

    def push(self, name: str, tensors: Tensors) -> None:
        self.entries.append((name, tensors))

    def state_dict(self) -> dict[str, Any]:
        return {"snapshots": [(name, self._files.keep(name, tensors)) for name, tensors in self.entries]}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        read = [(name, self._files.read(name, digest)) for name, digest in state["snapshots"]]
        self.entries.clear()
        for name, tensors in read:
            self.push(name, {key: value.to(device) for key, value in tensors.items()})

    def discard_unused(self) -> None:
        self._files.keep_only(name for name, _ in self.entries)


class SnapshotTeachers:
    """The supernet as it was at earlier times, evaluated anew on every batch."""

    def __init__(self, config: SelfDistillationConfig, supernet: Supernet, files: SnapshotFiles) -> None:
        self._config, self._supernet = config, supernet
        self._queue = _Queue(config.num_snapshots, files)
        self._selves = EarlierSelves(supernet, config.norm)

    @torch.no_grad()
    def logits(self, rows: Tensor, images: Tensor) -> Tensor | None:
        """Logits [K, B, num_classes] of all snapshots, oldest first."""
        states = [tensors for _, tensors in self._queue.entries]
        return self._selves.logits(states, images) if states else None

    def record(self, rows: Tensor, logits: Tensor) -> None:
        """Nothing: the snapshots speak for themselves."""

    def after_step(self, step: int) -> None:
        """Take a snapshot, if it is time."""
        if self._config.unit == "step" and (step + 1) % self._config.every == 0:
            self._queue.push(f"step_{step + 1}", state_of(self._supernet))

    def after_epoch(self, epoch: int) -> None:
        """Take a snapshot, if it is time."""
        if self._config.unit == "epoch" and (epoch + 1) % self._config.every == 0:
            self._queue.push(f"epoch_{epoch + 1}", state_of(self._supernet))

    def state_dict(self) -> dict[str, Any]:
        """Names and digests of the snapshots' files."""
        return self._queue.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Read the snapshots again."""
        self._queue.load_state_dict(state, self._selves.device)

    def discard_unused(self) -> None:
        """Delete the files of snapshots that have left the queue."""
        self._queue.discard_unused()


class CachedLogits:
    """What the supernet said of each training image in the last epochs, as it was trained on it."""

    def __init__(self, config: SelfDistillationConfig, files: SnapshotFiles, nothing_said: Tensor) -> None:
        """Logits of no epoch yet; `nothing_said`: zeros [images, num_classes] on the device."""
        self._config = config
        self._queue = _Queue(config.num_snapshots, files)
        self._of_this_epoch = nothing_said

    def logits(self, rows: Tensor, images: Tensor) -> Tensor | None:
        """Logits [K, B, num_classes] of the last K epochs that were kept, oldest first."""
        places = rows.to(self._of_this_epoch.device)
        kept = [tensors["logits"][places] for _, tensors in self._queue.entries]
        return torch.stack(kept) if kept else None

    def record(self, rows: Tensor, logits: Tensor) -> None:
        """Keep the logits of these images."""
        self._of_this_epoch[rows.to(logits.device)] = logits

    def after_step(self, step: int) -> None:
        """Nothing: epochs count."""

    def after_epoch(self, epoch: int) -> None:
        """Keep the epoch's logits, if it is time."""
        if (epoch + 1) % self._config.every == 0:
            self._queue.push(f"epoch_{epoch + 1}", {"logits": self._of_this_epoch.clone()})

    def state_dict(self) -> dict[str, Any]:
        """Names and digests of the files that hold the logits."""
        return self._queue.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Read the logits again."""
        self._queue.load_state_dict(state, self._of_this_epoch.device)

    def discard_unused(self) -> None:
        """Delete the files of epochs that have left the queue."""
        self._queue.discard_unused()


class EmaTeacher:
    """One teacher: the exponential moving average of the supernet's parameters, evaluated anew on every batch."""

    def __init__(self, config: SelfDistillationConfig, supernet: Supernet) -> None:
        self._config, self._supernet = config, supernet
        self._selves = EarlierSelves(supernet, config.norm)
        self._average: Tensors = {}

    @torch.no_grad()
    def logits(self, rows: Tensor, images: Tensor) -> Tensor | None:
        """Logits [1, B, num_classes]."""
        return self._selves.logits([self._average], images) if self._average else None

    def record(self, rows: Tensor, logits: Tensor) -> None:
        """Nothing: the average speaks for itself."""

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Move the average; counts of batches are taken over as they are."""
        present = tensors_of(self._supernet)
        if not self._average:
            self._average = state_of(self._supernet)
        for name, value in present.items():
            if value.is_floating_point():
                self._average[name].lerp_(value, 1 - self._config.ema_decay)
            else:
                self._average[name].copy_(value)

    def after_epoch(self, epoch: int) -> None:
        """Nothing: steps count."""

    def state_dict(self) -> dict[str, Any]:
        """The average."""
        return {"average": self._average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over an average."""
        self._average = {name: value.to(self._selves.device) for name, value in state["average"].items()}

    def discard_unused(self) -> None:
        """Nothing: there are no files."""
