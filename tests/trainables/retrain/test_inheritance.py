import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from nasray.search_spaces.architecture import Architecture
from nasray.search_spaces.chain.block import BlockSpace, Cell
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.operations.layer import Layer
from nasray.search_spaces.operations.shipped import OPERATIONS
from nasray.trainables.block_wise.supernet import CellSupernet
from nasray.trainables.block_wise.units.cell_target import CellTarget
from nasray.trainables.retrain.inheritance import inherit
from nasray.trainables.settings.block_distillation import BlockDistillationConfig

CHOICES = ("skip", "mb3k3se", "sep3")
TEACHER_WIDTHS = (1, 12, 16)


def make_space(stem):
    first = BlockSpace(1, (Cell(2, 12, (CHOICES, CHOICES)), Cell(2, 8, (CHOICES, CHOICES))))
    second = BlockSpace(2, (Cell(3, 14, (CHOICES, ("skip", "mb3k3"), CHOICES)),))
    return SearchSpace("tiny", (1, 8, 8), 10, stem, 20, 0.0, (first, second), OPERATIONS)


def train_cells(space, folder):
    """Supernets of all cells, with weights and statistics as from a training, and where they lie."""
    targets, supernets = [], {}
    for block, blocks in enumerate(space.blocks):
        for cell in blocks.cells:
            torch.manual_seed(len(targets))
            shapes = [(width, 1, 1) for width in TEACHER_WIDTHS[block : block + 2]]
            supernet = CellSupernet(space, block, cell, *shapes, zero_init=False, always_adapt=False)
            for module in supernet.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.running_mean.normal_()
                    module.running_var.uniform_(0.5, 2)
            where = folder / f"block_{block}" / cell.name
            target = CellTarget(
                block=block,
                cell=cell.name,
                config=BlockDistillationConfig(),
                folder=where,
                table=where / "table.parquet",
            )
            where.mkdir(parents=True)
            save_file(supernet.state_dict(), target.weights)
            targets.append(target)
            supernets[block, cell.name] = supernet.eval()
    return targets, supernets


@pytest.mark.parametrize("stem", [(Layer("conv3", 8, 1), Layer("sep3", 6, 1)), ()], ids=["stem", "no stem"])
@pytest.mark.parametrize(
    "text",
    [
        "2x12:mb3k3se,sep3/3x14:sep3,mb3k3,skip",
        "2x8:skip,mb3k3se/3x14:mb3k3se,skip,sep3",
        "2x8:sep3,skip/3x14:skip,skip,skip",
    ],
)
def test_the_blocks_give_what_the_supernets_paths_gave(stem, text, tmp_path):
    space, architecture = make_space(stem), Architecture.parse(text)
    targets, supernets = train_cells(space, tmp_path)
    torch.manual_seed(99)
    network = space.build(architecture).eval()
    inherit(network, architecture, space, targets)
    entry_width = 1
    for number, candidate in enumerate(architecture.candidates):
        supernet = supernets[number, candidate.cell]
        path = supernet.path(entry_width, candidate.operations)
        supernet.exit = nn.Identity()
        if number:
            supernet.entries = nn.ModuleList(nn.Identity() for _ in supernet.entries)
        features = torch.randn(4, *space.block_input_shape(number, entry_width))
        assert torch.equal(network.blocks[number](features), supernet(features, path))
        entry_width = candidate.width


def test_the_head_starts_afresh(tmp_path):
    space, architecture = make_space(()), Architecture.parse("2x12:sep3,sep3/3x14:sep3,skip,skip")
    targets, _ = train_cells(space, tmp_path)
    network = space.build(architecture)
    before = {name: value.clone() for name, value in network.head.state_dict().items()}
    inherit(network, architecture, space, targets)
    assert all(torch.equal(value, before[name]) for name, value in network.head.state_dict().items())


def test_missing_cells_are_named(tmp_path):
    space, architecture = make_space(()), Architecture.parse("2x12:sep3,sep3/3x14:sep3,skip,skip")
    targets, _ = train_cells(space, tmp_path)
    with pytest.raises(ValueError, match="must have cell 2x12 of block 0"):
        inherit(space.build(architecture), architecture, space, targets[1:])
    targets[-1].weights.unlink()
    with pytest.raises(ValueError, match=r"cell 3x14 of block 1 has none at .*: run the search again"):
        inherit(space.build(architecture), architecture, space, targets)
