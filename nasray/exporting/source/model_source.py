"""`model.py`: one readable file that makes a trained network again, without nasray."""

import sys

from nasray.errors import UserError
from nasray.exporting.preprocessing import Preprocessing
from nasray.exporting.source.bundle import Bundle, BundleError
from nasray.exporting.source.cell_class import CellClasses
from nasray.exporting.source.construction import Construction, UnwritableError, literal
from nasray.exporting.source.expressions import LINE_LENGTH, Call, Expression, is_torch_layer, layout, makers
from nasray.exporting.source.network_class import attributes, class_text
from nasray.exporting.source.recording import Recording
from nasray.search_spaces.cells import cell_network
from nasray.search_spaces.cells.cell_network import DiscreteCell

WEIGHTS = "weights.safetensors"
_RESERVED = (
    "ARCHITECTURE",
    "INPUT_SHAPE",
    "NUM_CLASSES",
    "MEAN",
    "STD",
    "build",
    "load",
    "normalise",
    "predict",
)
_IMPORTS = (("pathlib", "Path"), ("safetensors.torch", "load_file"), ("torch", "nn"))
_TEMPLATE = '''"""A trained classifier, exported by nasray: README.md beside this file tells what it is.

    network = load()
    probabilities = predict(network, pixels)

Needs {packages}. What is nasray's own in here is under the Apache License 2.0.
"""

{imports}

{constants}


{definitions}


def build() -> nn.Module:
    """The network, freshly initialised."""
    return {made}


def load(folder: Path = Path(__file__).parent) -> nn.Module:
    """The network with the weights in the folder, in evaluation mode."""
    network = build()
    network.load_state_dict(load_file(Path(folder) / "{weights}"))
    return network.eval()


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """What the network takes, from pixels [B, C, H, W]: uint8, or floats in 0..1."""
    values = pixels / 255 if pixels.dtype == torch.uint8 else pixels
    mean, std = (torch.tensor(numbers, device=pixels.device).view(-1, 1, 1) for numbers in (MEAN, STD))
    return (values - mean) / std


@torch.no_grad()
def predict(network: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """The probability of each class, [B, NUM_CLASSES], for pixels [B, C, H, W] as `normalise` takes them."""
    return network(normalise(pixels)).softmax(dim=1)
'''


def model_source(architecture: str, recording: Recording, given: Preprocessing) -> tuple[str, list[str]]:
    """The text of `model.py`, and the installed packages that it needs.

    Args:
        architecture: The ID of the network's architecture.
        recording: How the network came about.
        given: What it is given.

    Raises:
        UserError: The network cannot be written as one file; the text says why, and what can be done.
    """
    bundle = Bundle(recording, _RESERVED)
    try:
        for module, name in _IMPORTS:
            bundle.add_import(module, name)
        made = _bundle_network(recording, bundle)
    except (BundleError, UnwritableError) as error:
        raise UserError(
            "a network that is written as one file must be made of modules whose arguments are plain values, and of "
            f"what stands at the top of Python files; this one is not: {error}. Use --format torch.export, which needs "
            "no source"
        ) from error
    bundle.imports.add("torch")
    packages = bundle.imports.packages
    text = _TEMPLATE.format(
        packages=f"{', '.join(packages[:-1])} and {packages[-1]}",
        imports=bundle.imports.text,
        constants=_constants(architecture, given),
        definitions=bundle.text,
        made=layout(made, 4, 7),
        weights=WEIGHTS,
    )
    return text, packages


def _bundle_network(recording: Recording, bundle: Bundle) -> Expression:
    """The expression that makes the network; what it needs is added to the bundle."""
    cells, network = CellClasses(), recording.network
    construction = Construction(recording, {DiscreteCell: cells.call})
    own_class: str | None = None
    try:
        made = construction.expression(network)
        parts = [made]
    except UnwritableError:
        its_attributes = attributes(network, construction)
        own_class = class_text(network, its_attributes)
        made, parts = Call(type(network).__name__, ()), list(its_attributes.values())
    for maker in dict.fromkeys(maker for part in parts for maker in makers(part)):
        if not is_torch_layer(maker):
            bundle.add(maker)
    for name, text in cells.texts.items():
        bundle.add_text(name, text, cell_network)
    if own_class is not None:
        bundle.add_text(type(network).__name__, own_class, sys.modules[type(network).__module__])
    return made


def _constants(architecture: str, given: Preprocessing) -> str:
    lines = [
        _long_text("ARCHITECTURE", architecture),
        f"INPUT_SHAPE = {given.input_shape}  # channels, height, width",
        f"NUM_CLASSES = {given.num_classes}",
        f"MEAN = {given.mean}  # of each channel, for values in 0..1",
        f"STD = {given.std}",
    ]
    return "\n".join(lines)


def _long_text(name: str, text: str) -> str:
    """A constant, on several lines where one is too short; these end behind a comma, a bar or a stroke."""
    line = f"{name} = {literal(text)}"
    if len(line) <= LINE_LENGTH:
        return line
    rows, width = [], LINE_LENGTH - 6
    while len(text) > width:
        end = 1 + max(text.rfind(mark, 0, width) for mark in ",|/+") or width
        rows.append(text[:end])
        text = text[end:]
    pieces = "".join(f"    {literal(row)}\n" for row in (*rows, text))
    return f"{name} = (\n{pieces})"
