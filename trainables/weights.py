"""The file of a trained module's weights."""

from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from search_spaces.atomic_file import replacing


def save_weights(module: nn.Module, path: Path) -> None:
    """Write the module's parameters and buffers as safetensors, whole or not at all."""
    with replacing(path) as temporary:
        save_file({name: value.contiguous().cpu() for name, value in module.state_dict().items()}, temporary)
