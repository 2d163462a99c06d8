"""Snapshots on disk: a file each, written once however many checkpoints refer to it."""

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path

import torch

from nasray.search_spaces.files.atomic_file import replacing
from nasray.trainables.core.trainable import DamagedCheckpointError
from nasray.trainables.sd_darts.voting.earlier_selves import Tensors


class SnapshotFiles:
    """A folder of snapshots that checkpoints refer to by name and digest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._digests: dict[str, str] = {}

    def keep(self, name: str, tensors: Tensors) -> str:
        """Have the snapshot on disk; returns the digest of its file, which a checkpoint holds beside the name."""
        if name not in self._digests:
            buffer = io.BytesIO()
            torch.save({key: value.cpu() for key, value in tensors.items()}, buffer)
            self._folder.mkdir(parents=True, exist_ok=True)
            with replacing(self._path(name)) as temporary:
                temporary.write_bytes(buffer.getvalue())
            self._digests[name] = hashlib.sha256(buffer.getvalue()).hexdigest()
        return self._digests[name]

    def read(self, name: str, digest: str) -> Tensors:
        """The snapshot that `keep` wrote, on the CPU.

        Raises:
            DamagedCheckpointError: Its file is missing or has changed.
        """
        try:
            content = self._path(name).read_bytes()
        except FileNotFoundError:
            raise DamagedCheckpointError(f"{self._path(name)} must be there, it is missing") from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise DamagedCheckpointError(f"{self._path(name)} must be as it was written, it has changed")
        self._digests[name] = digest
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)

    def keep_only(self, names: Iterable[str]) -> None:
        """Delete all other snapshots. To be called only when the checkpoint on disk refers to none of them."""
        kept = set(names)
        self._digests = {name: digest for name, digest in self._digests.items() if name in kept}
        for path in self._folder.glob("*.pt"):
            if path.stem not in kept:
                path.unlink()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.pt"
