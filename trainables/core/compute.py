"""The device of a process, prepared as the settings say, and what is placed on it."""

import os
from typing import TypeVar

import torch
from torch import Tensor, nn

from nasray.errors import UserError
from nasray.trainables.core.allocation import keep_freed_memory
from nasray.trainables.core.process_group import current_group
from nasray.trainables.settings.compute import ComputeConfig

ModuleT = TypeVar("ModuleT", bound=nn.Module)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
"""The types in which steps may be computed, by their names in a config."""


def prepare(compute: ComputeConfig) -> torch.device:
    """The device to compute on, with threads, determinism and memory of this process set.

    Raises:
        UserError: CUDA is asked for where there is none.
    """
    keep_freed_memory()
    torch.set_num_threads(compute.num_threads)
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    _switch_tf32_off()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it, sums on a GPU vary
    if compute.device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "compute.device is cuda, but this process sees no GPU: set compute.device=auto or compute.device=cpu"
        )
    kind, group = device_kind(compute), current_group()
    return torch.device(kind, group.rank) if group.size > 1 and kind == "cuda" else torch.device(kind)


def device_kind(compute: ComputeConfig) -> str:
    """The kind of device that this process computes on, "cpu" or "cuda"."""
    found = "cuda" if torch.cuda.is_available() else "cpu"
    return found if compute.device == "auto" else compute.device


def device_name(device: torch.device | str) -> str:
    """The class of a device that decides how its results are rounded.

    It is the GPU's model, or the CPU's vector instructions, by which torch and its libraries choose their kernels.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU ({torch.backends.cpu.get_cpu_capability()})"


def memory_format(compute: ComputeConfig) -> torch.memory_format:
    """Layout of images and convolution weights; channels last unless switched off, faster on CPUs and GPUs."""
    return torch.contiguous_format if compute.channels_last is False else torch.channels_last


def place(compute: ComputeConfig, tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device, in the settings' layout where it is an image or a feature map.

    It goes to a GPU by way of pinned memory, so that this process need not wait for it.
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    placed = tensor.to(device, non_blocking=True)
    return placed.to(memory_format=memory_format(compute)) if placed.dim() == 4 else placed


def place_module(compute: ComputeConfig, module: ModuleT, device: torch.device) -> ModuleT:
    """The module on the device, its convolution weights in the settings' layout."""
    return module.to(device=device, memory_format=memory_format(compute))  # type: ignore[call-overload]


def _switch_tf32_off() -> None:
    """Have GPUs compute float32 as float32.

    Ampere's and later ones would round the factors of a convolution to 10 bits (torch's default), and those of a matrix
    product where the environment asks for it: neither is what a CPU or an older GPU gives.
    """
    # By these switches and not by `fp32_precision` of each operation, besides which torch.export cannot read them.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
