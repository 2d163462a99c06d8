"""The base of every unit that trains: seeded epochs, an exact checkpoint after each, resume without a trace."""

import io
import json
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from search_spaces.atomic_file import replacing, write_json
from trainables.seeding import seed_global_generators
from trainables.training import Method, train_epoch

CHECKPOINT = "last.pt"
CHECKPOINT_PARTS = "last.parts"
DONE = "done.json"
Metrics = dict[str, Any]


class DamagedCheckpointError(RuntimeError):
    """A file that belongs to a checkpoint is missing or has changed."""


def train(method: Method, folder: Path, *, seed: int, name: str, inputs: str) -> Iterator[Metrics]:
    """Metrics of each epoch, trained from the checkpoint in `folder` or from the beginning.

    Every epoch draws from generators seeded by (seed, name, epoch), so that an epoch that was interrupted and is run
    again gives the same bytes. The epochs that the checkpoint holds are told again, marked `replayed`, since the
    process that ran them may have died before it was heard.

    Args:
        method: What to train; freshly built, in the state that it starts from.
        folder: The unit's own folder; from the first epoch until the unit is done it holds `last.pt`, and what a
            method keeps beside it in `last.parts`.
        seed: The experiment's seed.
        name: The unit's name.
        inputs: Digest of what the unit depends on; a checkpoint of other inputs counts as none.
    """
    history: list[Metrics] = []
    checkpoint = load_checkpoint(folder / CHECKPOINT)
    if checkpoint is not None and checkpoint["inputs"] == inputs and _load(method, checkpoint, folder):
        history = checkpoint["history"]
        yield from ({**metrics, "replayed": True} for metrics in history)
    while len(history) < method.num_epochs:
        epoch = len(history)
        seed_global_generators(seed, name, "epoch", epoch)
        metrics = {"epoch": epoch + 1, **train_epoch(method, epoch), "num_epochs": method.num_epochs}
        history.append(metrics)
        save_checkpoint(
            folder / CHECKPOINT, {"inputs": inputs, "method": method.state_dict(), "history": history}
        )
        yield metrics


def _load(method: Method, checkpoint: dict[str, Any], folder: Path) -> bool:
    """Whether the method could go on from the checkpoint; one that misses a part is moved aside."""
    try:
        method.load_state_dict(checkpoint["method"])
    except DamagedCheckpointError:
        (folder / CHECKPOINT).replace((folder / CHECKPOINT).with_suffix(".unreadable"))
        return False
    return True


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values as one file, whole or not at all."""
    with replacing(path) as temporary:
        torch.save(state, temporary)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The state that `save_checkpoint` wrote, on the CPU; None where there is none, or none that can be read.

    A file that cannot be read is moved aside, so that its unit begins anew instead of failing for ever.
    """
    if not path.exists():
        return None
    content = io.BytesIO(path.read_bytes())  # an error of the disk's is raised, and not taken for a bad file
    try:
        return torch.load(content, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError):
        path.replace(path.with_suffix(".unreadable"))
        return None


def mark_done(folder: Path, fingerprint: str, history: list[Metrics], **results: Any) -> None:
    """Leave the marker that the unit's results are complete and which inputs they belong to."""
    write_json(folder / DONE, {"inputs": fingerprint, **results, "history": history})
    (folder / CHECKPOINT).unlink(missing_ok=True)
    shutil.rmtree(folder / CHECKPOINT_PARTS, ignore_errors=True)


def read_done(folder: Path) -> dict[str, Any] | None:
    """What `mark_done` left, or None."""
    try:
        return json.loads((folder / DONE).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
