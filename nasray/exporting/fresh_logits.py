"""A script: the logits of an exported network, in an interpreter that knows neither nasray nor its user's modules.

    python -I -B fresh_logits.py FOLDER BATCH OUTPUT

BATCH is a safetensors file with `images`; OUTPUT gets `logits`, those of all images, and `first`, those of the first
one alone.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor


def load_network(folder: Path) -> Callable[[Tensor], Tensor]:
    """The network in a folder, whichever its format."""
    if (folder / "model.py").exists():
        spec = importlib.util.spec_from_file_location("exported_model", folder / "model.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.load(folder)
    if (folder / "model.pt2").exists():
        return torch.export.load(folder / "model.pt2").module()
    onnxruntime = importlib.import_module("onnxruntime")
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


@torch.no_grad()
def main(folder: Path, batch: Path, output: Path) -> None:
    """Compute the logits."""
    # nasray may be installed here; the receiver's interpreter has none.
    sys.modules["nasray"] = None  # type: ignore[assignment]
    torch.set_num_threads(1)
    network, images = load_network(folder), load_file(batch)["images"]
    torch.manual_seed(0)  # there is an operation that draws noise
    save_file({"logits": network(images), "first": network(images[:1])}, output)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
