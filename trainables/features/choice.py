"""Per block: read the teacher's features from disk, or run the teacher's part in every step?

Early blocks have large maps behind a cheap part of the teacher, late ones the reverse. Time is estimated from bytes,
the measured reading speed, the teacher's multiply-accumulates and its measured speed; what does not fit on the disk is
computed.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from nasray.search_spaces.costs.cost import measure
from nasray.trainables.core.compute import place, place_module, prepare
from nasray.trainables.cutting.cutting import CutTeacher
from nasray.trainables.features.cache import DTYPES
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.features import FeatureConfig, Mode, boundaries_of

DISK_SHARE = 0.5  # of the free space, since checkpoints and other runs need some too
_PROBE_BYTES = 32 * 2**20
_PROBE_IMAGES = 8


@dataclass(frozen=True, slots=True)
class Speeds:
    """What this machine does per second, and how much its disk takes.

    Attributes:
        read_bytes: Bytes read from the feature cache's disk in a second.
        teacher_macs: Multiply-accumulates of the teacher in a second, one unit's threads or device.
        free_bytes: Free space where the feature cache lies.
    """

    read_bytes: float
    teacher_macs: float
    free_bytes: int


def choose_modes(
    image_bytes: Sequence[int],
    prefix_macs: Sequence[int],
    num_images: int,
    epochs: int,
    speeds: Speeds,
) -> tuple[Mode, ...]:
    """The mode of each block that takes the least time in all, within the disk.

    Args:
        image_bytes: Bytes of one image's features at boundary 0 to K.
        prefix_macs: Multiply-accumulates of the teacher from the image to boundary 1 to K.
        num_images: Images of the cache, views counted apart.
        epochs: How often each is read.
        speeds: What the machine gives.
    """
    gains = []
    for block, macs in enumerate(prefix_macs):
        read = (image_bytes[block] + image_bytes[block + 1]) / speeds.read_bytes
        compute = macs / speeds.teacher_macs
        gains.append(epochs * compute - (compute + epochs * read))  # the cache is filled by one pass
    modes: list[Mode] = ["cached" if gain > 0 else "online" for gain in gains]
    for block in sorted(range(len(gains)), key=lambda block: gains[block]):
        total = num_images * sum(image_bytes[boundary] for boundary in boundaries_of(tuple(modes)))
        if total <= DISK_SHARE * speeds.free_bytes:
            break
        modes[block] = "online"
    return tuple(modes)


def feature_bytes(shapes: Sequence[tuple[int, ...]], config: FeatureConfig) -> list[int]:
    """Bytes of one image's features at each boundary, as they are stored."""
    item = DTYPES[config.dtype].itemsize
    return [item * torch.Size(shape).numel() for shape in shapes]


def prefix_macs(teacher: CutTeacher) -> list[int]:
    """Multiply-accumulates of the teacher from the image to boundary 1 to K, per image."""
    total, sums = 0, []
    for piece, shape in zip(list(teacher.pieces)[:-1], teacher.feature_shapes, strict=False):
        total += measure(piece, shape).num_macs
        sums.append(total)
    return sums


def measure_speeds(teacher: CutTeacher, macs: int, folder: Path, compute: ComputeConfig) -> Speeds:
    """Speeds of this machine, measured in about a second.

    Args:
        teacher: The cut teacher, whose blocks all run once or twice.
        macs: Its multiply-accumulates per image up to the last cut.
        folder: Where the feature cache lies, or will; nothing is left there.
        compute: Device and threads of a unit.
    """
    # On the same disk, as far as that is known before the folder is made.
    folder = next(place for place in (folder, *folder.parents) if place.is_dir())
    device = prepare(compute)
    teacher = place_module(compute, teacher, device)
    images = place(compute, torch.zeros(_PROBE_IMAGES, *teacher.feature_shapes[0]), device)
    num_blocks = len(teacher.feature_shapes) - 1
    with torch.no_grad():
        teacher.features(images, up_to=num_blocks)
        start = time.perf_counter()
        teacher.features(images, up_to=num_blocks)[-1].sum().item()
        seconds = time.perf_counter() - start
    free_bytes = shutil.disk_usage(folder).free
    return Speeds(_read_speed(folder), _PROBE_IMAGES * macs / seconds, free_bytes)


def _read_speed(folder: Path) -> float:
    """Bytes per second read from a file that the system's cache was told to forget."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".speed.") as file:
        file.write(os.urandom(_PROBE_BYTES))
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        start = time.perf_counter()
        with Path(file.name).open("rb", buffering=0) as reader:
            reader.readall()
        return _PROBE_BYTES / (time.perf_counter() - start)
