"""The forms in which a network leaves: a Python file, a torch.export program, an ONNX file."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

import torch

from nasray.errors import UserError
from nasray.exporting.preprocessing import Preprocessing
from nasray.exporting.source.model_source import model_source
from nasray.exporting.source.recording import Recording

Format = Literal["torch", "torch.export", "onnx"]
FORMATS: tuple[Format, ...] = get_args(Format)
FILES: dict[Format, str] = {"torch": "model.py", "torch.export": "model.pt2", "onnx": "model.onnx"}
_ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def check_format(form: str) -> None:
    """Hold a format to what can be written here.

    Raises:
        UserError: It is unknown, or needs packages that are missing.
    """
    if form not in FORMATS:
        raise UserError(f"format must be one of {', '.join(FORMATS)}, got {form!r}")
    missing = [name for name in _ONNX_PACKAGES if find_spec(name) is None]
    if form == "onnx" and missing:
        raise UserError(
            f"format onnx must find the packages {', '.join(_ONNX_PACKAGES)}, but has no {', '.join(missing)}: "
            "pip install 'nasray[onnx]'"
        )


def write_model(
    form: Format, architecture: str, recording: Recording, given: Preprocessing, folder: Path
) -> list[str]:
    """Write the network's file into a folder; returns the installed packages that it needs.

    Args:
        form: The format.
        architecture: The network's ID.
        recording: The network, with its weights, and how it came about.
        given: What it takes.
        folder: Where to.

    Raises:
        UserError: The network has no such form; the text says why.
    """
    path = folder / FILES[form]
    if form == "torch":
        text, packages = model_source(architecture, recording, given)
        path.write_text(text, encoding="utf-8")
        return packages
    example = torch.zeros(2, *given.input_shape)
    any_number = ({0: torch.export.Dim("batch")},)
    try:
        program = torch.export.export(recording.network, (example,), dynamic_shapes=any_number)
        if form == "torch.export":
            torch.export.save(program, path)
            return ["torch"]
        torch.onnx.export(
            program,
            (),
            path,
            input_names=["images"],
            output_names=["logits"],
            external_data=False,
            verbose=False,
        )
    except Exception as error:  # what a user's operation may meet in there is not known
        raise UserError(
            f"a network must be traceable for format {form}, but: {type(error).__name__}: {error}. "
            "Use --format torch, which takes its source"
        ) from error
    return ["numpy", "onnxruntime"]
