"""The file of a trained module's weights."""

from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor, nn

from nasray.search_spaces.files.atomic_file import replacing


def save_weights(module: nn.Module, path: Path) -> None:
    """Write the module's parameters and buffers as safetensors, whole or not at all.

    What stands under several names is written under each, so that whatever has these names can load the file.
    """
    tensors: dict[str, Tensor] = {}
    memories: set[int] = set()
    for name, value in module.state_dict().items():
        tensor = value.contiguous().cpu()
        memory = tensor.untyped_storage().data_ptr()
        tensors[name] = tensor.clone() if memory in memories else tensor  # the format allows no shared memory
        memories.add(memory)
    with replacing(path) as temporary:
        save_file(tensors, temporary)
