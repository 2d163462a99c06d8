"""A network's first weights, taken from the supernets of its blocks.

Source: our own reading. A candidate's layers in its cell's supernet are the layers of the network's block: their
weights and batch-norm statistics are copied; adapters to the teacher's widths are left out, and the head starts afresh.
"""

from collections.abc import Iterable, Mapping, Sequence

from safetensors.torch import load_file
from torch import Tensor, nn

from nasray.errors import UserError
from nasray.search_spaces.architecture import Architecture
from nasray.search_spaces.chain.network import Network
from nasray.search_spaces.chain.space import SearchSpace
from nasray.trainables.block_wise.units.cell_target import CellTarget
from nasray.trainables.core.trainable import check_unchanged


def inherit(
    network: Network, architecture: Architecture, space: SearchSpace, targets: Sequence[CellTarget]
) -> None:
    """Load the blocks of `network`, built of `architecture`, with the trained weights of its cells in `targets`.

    Raises:
        UserError: A cell is not among the targets, or its weights are not there, or damaged.
    """
    entry_width = space.input_shape[0]
    for number, (block, candidate) in enumerate(zip(network.blocks, architecture.candidates, strict=True)):
        operations = space.blocks[number].cell(candidate.cell).operations
        choices = [names.index(name) for names, name in zip(operations, candidate.operations, strict=True)]
        entry = space.entry_widths(number).index(entry_width)
        assert isinstance(block, nn.Sequential)
        supernet = _read(targets, number, candidate.cell)
        block.load_state_dict(_on_path(supernet, entry, choices, num_stem_layers=len(block) - len(choices)))
        entry_width = candidate.width


def _read(targets: Iterable[CellTarget], block: int, cell: str) -> dict[str, Tensor]:
    """The weights of a cell's supernet."""
    target = next((target for target in targets if (target.block, target.cell) == (block, cell)), None)
    if target is None:
        raise UserError(
            f"targets must have cell {cell} of block {block}, whose weights are inherited, got none such"
        )
    if not target.weights.is_file():
        raise UserError(
            f"weights can be inherited of trained cells alone, but cell {cell} of block {block} has none at "
            f"{target.weights}: run the search again, or set init to scratch"
        )
    check_unchanged(target.folder, target.weights)
    return load_file(target.weights)


def _on_path(
    supernet: Mapping[str, Tensor], entry: int, choices: Sequence[int], *, num_stem_layers: int
) -> dict[str, Tensor]:
    """A block's weights by their names in a network, where the stem's layers stand before block 0's own."""
    weights = _below(supernet, "entries.0.") if num_stem_layers else {}
    for layer, choice in enumerate(choices):
        operations = f"first_layer.{entry}" if layer == 0 else f"later_layers.{layer - 1}"
        for name, tensor in _below(supernet, f"{operations}.{choice}.").items():
            weights[f"{num_stem_layers + layer}.{name}"] = tensor
    return weights


def _below(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights whose names begin with `prefix`, by the rest of their names."""
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
