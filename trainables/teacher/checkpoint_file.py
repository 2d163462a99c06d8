"""A checkpoint's file, read without running code: the tensors in it by their places."""

import argparse
import errno
import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from nasray.errors import UserError

# The settings of their training are kept so in many published files.
_HARMLESS: list[Any] = [argparse.Namespace]
_CODE = re.compile(r"Unsupported global: GLOBAL (\S+)")
_LONGEST = 200


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors in a checkpoint's file, on the CPU, each by its place: "state_dict.fc.bias" of a nested one.

    Raises:
        UserError: There is no such file, it is damaged, holds what would run code, or no tensors by names.
    """
    if not path.is_file():
        raise UserError(f"teacher.weights must be a file, there is none at {path}")
    found = _load(path)
    tensors = dict(_flat(found))
    if not tensors and found != {}:  # some modules have no weights
        raise UserError(
            f"{path} must hold a state_dict, at the top or nested in mappings, but it holds no tensors by their names"
        )
    return tensors


def _load(path: Path) -> Any:
    """What a file holds, made of tensors and plain values alone.

    Raises:
        UserError: It is damaged, or holds what would run code.
    """
    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        # torch writes a checksum of every tensor, but does not look at it when it reads.
        changed = _changed_part(path)
        if changed is None:
            with torch.serialization.safe_globals(_HARMLESS):
                return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file may fail in any way
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # the disk failed, not the file
        code = _CODE.search(str(error))
        if code is not None:
            raise UserError(_save_weights_alone(path, code[1])) from error
        raise UserError(
            f"{path} must be a whole file that torch.save or safetensors wrote, but it is cut off, damaged or of "
            f"another kind ({_reason(path, error)}): fetch or save it again"
        ) from error
    raise UserError(f"{path} must be what was saved, but {changed} in it is damaged: fetch or save it again")


def _reason(path: Path, error: Exception) -> str:
    """The file's size, and the first sentence of an error, but for torch's advice to read the file otherwise."""
    text = str(error).partition("\n")[0].partition(". ")[0][:_LONGEST]
    size = f"{path.stat().st_size:,} bytes"
    return size if not text or isinstance(error, pickle.UnpicklingError) else f"{size}; {text}"


def _save_weights_alone(path: Path, name: str) -> str:
    return (
        f"{path} must hold tensors and plain values alone, but it holds a {name}, and reading that may run code: where "
        f'you trust the file, save its weights alone, `found = torch.load("{path}", weights_only=False)` and '
        '`torch.save(found.state_dict(), "weights.pth")`, or found["model"] or the like where the weights stand in a '
        "mapping"
    )


def _changed_part(path: Path) -> str | None:
    """The name of a part that is not what was written, if there is one; None also for files without checksums."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as parts:
        return parts.testzip()


def _flat(found: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    if isinstance(found, Tensor):
        if prefix:
            yield prefix.removesuffix("."), found
    elif isinstance(found, Mapping):
        for name, value in found.items():
            if isinstance(name, str):  # an optimiser's state is numbered
                yield from _flat(value, f"{prefix}{name}.")
