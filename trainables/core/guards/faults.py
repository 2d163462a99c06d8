"""Faults of a unit: whether another attempt may do better, and where in a user's code they come from."""

import re
import site
import sys
import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import distributed

from nasray import errors
from nasray.errors import UserError

# A network or a disk, memory that others may give back, a device, another process of the training.
_PASSING = (OSError, MemoryError, torch.OutOfMemoryError, torch.AcceleratorError, distributed.DistError)
# What torch has no types for.
_PASSING_TEXT = re.compile(
    r"can't allocate memory|DataLoader worker \(pid|(CUDA|cuDNN|CUBLAS|NCCL) (driver |runtime )?error",
    re.IGNORECASE,
)
_OWN_WORDS = (UserError, FloatingPointError)  # their messages say all, and are ours
_NASRAY = Path(errors.__file__).parent
_INSTALLED = {
    Path(place)
    for place in (
        *(sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
    )
}


def may_pass(error: Exception) -> bool:
    """Whether the same work may do better when it is tried again, on another node perhaps."""
    if isinstance(error, _OWN_WORDS):
        return False
    return isinstance(error, _PASSING) or (
        isinstance(error, RuntimeError) and _PASSING_TEXT.search(str(error)) is not None
    )


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch could not allocate: CUDA has a type for it, the CPU's allocator only a message."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def reason_of(error: BaseException, when: str = "") -> str:
    """An error in a line: its kind, where in the user's code it was raised, else where at all, and its message.

    Args:
        error: As it was caught.
        when: Said behind its kind, such as "in training".
    """
    message = " ".join(str(error).split())
    if isinstance(error, _OWN_WORDS):
        return message
    kind = joined(type(error).__name__, when, place_of(traceback.extract_tb(error.__traceback__)))
    return f"{kind}: {message}" if message else kind


def joined(what: str, when: str, place: str) -> str:
    """What happened, when and where, as far as these are known."""
    return " ".join(filter(None, (what, when, place and f"at {place}")))


def place_of(frames: Iterable[traceback.FrameSummary]) -> str:
    """The innermost place in a user's own code, such as "operations.py:23", else the innermost of all."""
    files = [frame for frame in frames if Path(frame.filename).is_absolute()]
    own = [frame for frame in files if not _is_installed(Path(frame.filename))]
    chosen = (own or files)[-1:]
    return "".join(f"{_importable(Path(frame.filename))}:{frame.lineno}" for frame in chosen)


def _is_installed(file: Path) -> bool:
    """Whether a file is nasray's, Python's or an installed package's."""
    return any(file.is_relative_to(place) for place in (_NASRAY, *_INSTALLED))


def _importable(file: Path) -> str:
    """A file's path below where Python found it, which is the same on every node."""
    places = [Path(place).absolute() for place in sys.path]
    return min(
        (str(file.relative_to(place)) for place in places if file.is_relative_to(place)),
        key=len,
        default=str(file),
    )
