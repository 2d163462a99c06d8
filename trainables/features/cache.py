"""The teacher's features on disk: computed once, by many processes, found again by what they were computed from.

A split's features lie in `<root>/<digest>/`, the digest taken over everything they depend on. Rows are images (view
after view, where there are several); a shard is a run of rows:

    boundary_<k>/<shard>.npy   features at cut point k (0: the images themselves), [rows, ...]
    shard_<shard>.json         written after the shard's arrays: the checksums of their files
    manifest.json              written last: its presence says that all shards are there

Whoever reads a shard reads it whole once, before anything else, to see that it is what was written, and computes it
anew if it is not. At 4 GB a second that is a small part of the many times that training reads it.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from nasray.errors import UserError
from nasray.search_spaces.files.atomic_file import replacing, write_json
from nasray.search_spaces.files.damage import file_checksum, set_aside
from nasray.trainables.core.compute import place, place_module, prepare
from nasray.trainables.core.guards.notes import LOGGER
from nasray.trainables.cutting.cutting import CutTeacher
from nasray.trainables.data.loading import loaded
from nasray.trainables.data.split import Split
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.features import FeatureConfig, num_shards

FORMAT = 3
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
"""The types in which features may be stored, by their names in a config."""


@dataclass(frozen=True)
class FeatureStore:
    """The place of one split's features, and how they are cut into shards.

    Attributes:
        root: Folder of all feature stores.
        teacher_fingerprint: Content address of the teacher's weights and cuts.
        split: The images.
        boundaries: Cut points whose features are kept, ascending.
        config: Types and sizes.
        compute: Where and how the teacher computes.
        data_digest: Of the identity of the data set that the split is of; None: it was not looked at.
    """

    root: Path
    teacher_fingerprint: str
    split: Split
    boundaries: tuple[int, ...]
    config: FeatureConfig
    compute: ComputeConfig
    data_digest: str | None = None

    @cached_property
    def description(self) -> dict[str, Any]:
        """Everything that the features depend on."""
        return {
            "format": FORMAT,
            "teacher": self.teacher_fingerprint,
            "data": self.data_digest,
            "images": self.split.fingerprint,
            "boundaries": list(self.boundaries),
            "dtype": self.config.dtype,
            "copies": list(self.copies),
            "num_images": len(self.split),
            "shard_rows": self.config.shard_rows,
            # The last bits of the features depend on these.
            "batch_size": self.config.batch_size,
            "compute": self.compute.arithmetic,
            "torch": torch.__version__,
        }

    @cached_property
    def folder(self) -> Path:
        """The store's folder, named by the digest of its description."""
        text = json.dumps(self.description, sort_keys=True)
        return self.root / hashlib.sha256(text.encode()).hexdigest()[:24]

    @property
    def copies(self) -> tuple[int | None, ...]:
        """The view of each copy of the images, one after the other."""
        return self.config.copies(self.split.name)

    @property
    def num_rows(self) -> int:
        """Rows of all shards together."""
        return len(self.split) * len(self.copies)

    @property
    def num_shards(self) -> int:
        """Number of shards, the last of which may be shorter."""
        return num_shards(self.num_rows, self.config)

    @property
    def complete(self) -> bool:
        """Whether every shard is there."""
        return (self.folder / "manifest.json").exists()

    def has_shard(self, shard: int) -> bool:
        """Whether a shard was written."""
        return self._record(shard).exists()

    def write_shard(self, shard: int, teacher: CutTeacher) -> None:
        """Compute and write one shard, unless it is there already."""
        if self.has_shard(shard):
            return
        first = shard * self.config.shard_rows
        rows = np.arange(first, min(first + self.config.shard_rows, self.num_rows))
        checksums = {}
        for boundary, array in self._compute(rows, teacher).items():
            path = self._path(boundary, shard)
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.save(file, array)
            checksums[str(boundary)] = file_checksum(path)
        write_json(self._record(shard), {"rows": len(rows), "checksums": checksums})

    def finish(self, load_teacher: Callable[[], CutTeacher]) -> int:
        """See that all shards are whole, write the manifest and return the bytes of all features.

        Args:
            load_teacher: Gives the teacher, with which damaged ones are computed anew.
        """
        num_bytes = 0
        for shard in range(self.num_shards):
            for boundary in self.boundaries:
                num_bytes += self.open(boundary, shard, load_teacher).nbytes
        write_json(self.folder / "manifest.json", {**self.description, "bytes": num_bytes})
        return num_bytes

    def open(self, boundary: int, shard: int, load_teacher: Callable[[], CutTeacher]) -> np.memmap:
        """The memory map of a shard's features at a boundary, computed anew if they are not what was written.

        Raises:
            UserError: What was just written is damaged as well.
        """
        if not self._holds(boundary, shard):
            with (self.folder / ".mending").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # one reader mends for all
                if not self._holds(boundary, shard):
                    self._mend(boundary, shard, load_teacher())
        return np.load(self._path(boundary, shard), mmap_mode="r")

    def _mend(self, boundary: int, shard: int, teacher: CutTeacher) -> None:
        path = self._path(boundary, shard)
        self._record(shard).unlink(missing_ok=True)
        LOGGER.warning("%s was damaged: it is kept as %s, and computed anew", path, set_aside(path).name)
        self.write_shard(shard, teacher)
        if not self._holds(boundary, shard):
            raise UserError(f"{path} must hold what was just written, but does not: see to its disk")

    def _compute(self, rows: np.ndarray, teacher: CutTeacher) -> dict[int, np.ndarray]:
        """Features of the rows per boundary, as arrays of the stored type."""
        device = prepare(self.compute)
        teacher = place_module(self.compute, teacher, device)
        parts: dict[int, list[np.ndarray]] = {boundary: [] for boundary in self.boundaries}
        size = self.config.batch_size
        chunks = [rows[start : start + size] for start in range(0, len(rows), size)]
        for images in loaded(self._images, chunks, self.compute.num_workers):
            with torch.no_grad():
                features = teacher.features(place(self.compute, images, device), up_to=max(self.boundaries))
            for boundary in self.boundaries:
                parts[boundary].append(_to_numpy(features[boundary], DTYPES[self.config.dtype]))
        return {boundary: np.concatenate(arrays) for boundary, arrays in parts.items()}

    def _images(self, rows: np.ndarray) -> Tensor:
        """The images of the rows, each in the view of its copy."""
        copies, positions = np.divmod(rows, len(self.split))
        return torch.cat(
            [self.split.images(positions[copies == copy], self.copies[copy]) for copy in np.unique(copies)]
        )

    def _holds(self, boundary: int, shard: int) -> bool:
        """Whether a shard's features at a boundary are what was written; reads them all."""
        try:
            written = json.loads(self._record(shard).read_text(encoding="utf-8"))["checksums"]
            return file_checksum(self._path(boundary, shard)) == written[str(boundary)]
        except (FileNotFoundError, ValueError, KeyError):  # the record may be damaged as well
            return False

    def _path(self, boundary: int, shard: int) -> Path:
        return self.folder / f"boundary_{boundary}" / f"{shard}.npy"

    def _record(self, shard: int) -> Path:
        return self.folder / f"shard_{shard}.json"


class CachedFeatures:
    """Reads features from a complete store, memory-mapped: memory does not grow with the number of images.

    Args:
        store: The features.
        load_teacher: Gives the teacher that they are of, with which damaged ones are computed anew.

    Raises:
        FileNotFoundError: The store is not complete.
    """

    def __init__(self, store: FeatureStore, load_teacher: Callable[[], CutTeacher]) -> None:
        if not store.complete:
            raise FileNotFoundError(
                f"{store.folder} must hold a manifest.json: search with --stages features first"
            )
        self._store, self._load_teacher = store, load_teacher
        self._arrays: dict[tuple[int, int], np.memmap] = {}
        self._files: dict[tuple[int, int], BinaryIO] = {}

    def rows(self, positions: np.ndarray, view: int | None) -> np.ndarray:
        """The rows of the images at `positions` in a view."""
        split, copies = self._store.split, self._store.copies
        if len(copies) == 1:  # it stands for all views
            return positions
        return positions + len(split) * copies.index(self._store.config.shown_view(split.name, view))

    def read(self, boundary: int, rows: np.ndarray) -> Tensor:
        """Features [len(rows), ...] at a boundary, as float32, in the order of `rows`."""
        shards, offsets = np.divmod(rows, self._store.config.shard_rows)
        first = self._array(boundary, int(shards[0]))
        batch = np.empty((len(rows), *first.shape[1:]), dtype=first.dtype)
        for shard in np.unique(shards):
            chosen = shards == shard
            batch[chosen] = self._array(boundary, int(shard))[offsets[chosen]]
        return torch.from_numpy(batch).view(DTYPES[self._store.config.dtype]).float()

    def announce(self, boundary: int, rows: np.ndarray) -> None:
        """Have the system read rows from disk that are soon asked for; it does so beside what this process does."""
        if not hasattr(os, "posix_fadvise"):
            return
        for shard, offset in zip(*np.divmod(rows, self._store.config.shard_rows), strict=True):
            array = self._array(boundary, int(shard))
            size = array[0].nbytes
            os.posix_fadvise(
                self._files[boundary, shard].fileno(),
                array.offset + offset * size,
                size,
                os.POSIX_FADV_WILLNEED,
            )

    def _array(self, boundary: int, shard: int) -> np.memmap:
        """The memory map of a shard, checked and opened once."""
        if (boundary, shard) not in self._arrays:
            array = self._store.open(boundary, shard, self._load_teacher)
            self._arrays[boundary, shard] = array
            self._files[boundary, shard] = Path(str(array.filename)).open("rb")  # noqa: SIM115 (as long as the map)
        return self._arrays[boundary, shard]


def _to_numpy(features: Tensor, dtype: torch.dtype) -> np.ndarray:
    """The features as an array of `dtype`; bfloat16, which NumPy lacks, as the int16 of the same bits."""
    converted = features.to(dtype).contiguous().cpu()
    return converted.view(torch.int16).numpy() if dtype == torch.bfloat16 else converted.numpy()
