"""The base of every unit that trains: seeded epochs, an exact checkpoint after each, resume without a trace."""

import io
import json
import pickle
import shutil
import struct
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from nasray.errors import UserError
from nasray.search_spaces.artefacts.run_files import DONE
from nasray.search_spaces.files.atomic_file import replacing, write_json
from nasray.search_spaces.files.damage import file_checksum, set_aside
from nasray.trainables.core.guards.notes import LOGGER
from nasray.trainables.core.process_group import current_group
from nasray.trainables.core.seeding import seed_global_generators
from nasray.trainables.core.training import Method, train_epoch

CHECKPOINT = "last.pt"
CHECKPOINT_PARTS = "last.parts"
Metrics = dict[str, Any]


class DamagedCheckpointError(RuntimeError):
    """A file that belongs to a checkpoint is missing or has changed."""


def train(method: Method, folder: Path, *, seed: int, name: str, inputs: str) -> Iterator[Metrics]:
    """Metrics of each epoch, trained from the checkpoint in `folder` or from the beginning.

    Every epoch draws from generators seeded by (seed, name, epoch), so that an epoch that was interrupted and is run
    again gives the same bytes. The epochs that the checkpoint holds are told again, marked `replayed`, since the
    process that ran them may have died before it was heard.

    Args:
        method: What to train; freshly built, in the state that it starts from. Where several processes train together,
            the leader alone keeps checkpoints and goes on after the last epoch, where the group disbands.
        folder: The unit's own folder; from the first epoch until the unit is done it holds `last.pt`, and what a
            method keeps beside it in `last.parts`.
        seed: The experiment's seed.
        name: The unit's name.
        inputs: Digest of what the unit depends on; a checkpoint of other inputs counts as none.
    """
    history: list[Metrics] = []
    group = current_group()
    with group.leader_first():
        checkpoint = load_checkpoint(folder / CHECKPOINT)
        if checkpoint is not None and checkpoint["inputs"] == inputs and _load(method, checkpoint, folder):
            history = checkpoint["history"]
    yield from ({**metrics, "replayed": True} for metrics in history)
    while len(history) < method.num_epochs:
        epoch = len(history)
        seed_global_generators(seed, name, "epoch", epoch, *group.seed_parts)
        metrics = {"epoch": epoch + 1, **train_epoch(method, epoch), "num_epochs": method.num_epochs}
        history.append(metrics)
        if group.is_main:
            save_checkpoint(
                folder / CHECKPOINT, {"inputs": inputs, "method": method.state_dict(), "history": history}
            )
        yield metrics
    group.close()


def _load(method: Method, checkpoint: dict[str, Any], folder: Path) -> bool:
    """Whether the method could go on from the checkpoint; one that misses a part is set aside."""
    try:
        method.load_state_dict(checkpoint["method"])
    except DamagedCheckpointError as error:
        _set_checkpoint_aside(folder / CHECKPOINT, str(error))
        return False
    return True


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values as one file, whole or not at all."""
    with replacing(path) as temporary:
        torch.save(state, temporary)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The state that `save_checkpoint` wrote, on the CPU; None where there is none, or none that can be read.

    A file that is not what was written is set aside, so that its unit begins anew instead of failing for ever.
    """
    if not path.exists():
        return None
    content = io.BytesIO(path.read_bytes())  # an error of the disk's is raised, and not taken for a bad file
    try:
        # torch writes a checksum of every tensor, but does not look at it when it reads.
        with zipfile.ZipFile(content) as parts:
            changed = parts.testzip()
        if changed is None:
            content.seek(0)
            return torch.load(content, map_location="cpu", weights_only=True)
        reason = f"{changed} has changed"
    except (
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,
        struct.error,
        zipfile.BadZipFile,
        pickle.UnpicklingError,
    ) as error:
        reason = str(error).partition("\n")[0]
    _set_checkpoint_aside(path, reason)
    return None


def _set_checkpoint_aside(path: Path, reason: str) -> None:
    LOGGER.warning(
        "%s was damaged (%s): it is kept as %s, and begun anew", path, reason, set_aside(path).name
    )


def mark_done(
    folder: Path, fingerprint: str, history: list[Metrics], outputs: Iterable[Path] = (), **results: Any
) -> None:
    """Leave the marker that the unit's results are complete, which inputs they belong to, and their files' checksums.

    Args:
        folder: The unit's folder.
        fingerprint: Digest of what it depends on.
        history: What it told, report by report.
        outputs: The files that it leaves, each with a name of its own.
        results: What else to write down.
    """
    checksums = {path.name: file_checksum(path) for path in outputs}
    marker = {"inputs": fingerprint, **results, "checksums": checksums, "history": history}
    write_json(folder / DONE, marker)
    drop_checkpoint(folder)


def drop_checkpoint(folder: Path) -> None:
    """Have a unit's training begin anew, if it does so again."""
    (folder / CHECKPOINT).unlink(missing_ok=True)
    shutil.rmtree(folder / CHECKPOINT_PARTS, ignore_errors=True)


def confirm_output(folder: Path, path: Path) -> None:
    """Have the marker of a finished unit, if there is one, take an output as it is now for what the unit left."""
    done = read_done(folder)
    if done is not None:
        write_json(
            folder / DONE, done | {"checksums": {**done.get("checksums", {}), path.name: file_checksum(path)}}
        )


def check_unchanged(folder: Path, path: Path) -> None:
    """Hold an output of the unit that is finished in a folder to what was written.

    Raises:
        UserError: The file has changed since.
    """
    written = (read_done(folder) or {}).get("checksums", {})
    if path.name in written and file_checksum(path) != written[path.name]:
        raise UserError(
            f"{path} must be what was written, but it is damaged: run the search again, which makes it anew"
        )


def read_done(folder: Path) -> dict[str, Any] | None:
    """What `mark_done` left, or None; a damaged marker counts as none."""
    try:
        return json.loads((folder / DONE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
