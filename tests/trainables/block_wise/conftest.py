import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from nasray.search_spaces.chain.block import BlockSpace, Cell
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.operations.layer import Layer
from nasray.search_spaces.operations.shipped import OPERATIONS
from nasray.trainables.block_wise.block_data import BlockData
from nasray.trainables.block_wise.supernet import CellSupernet
from nasray.trainables.block_wise.units.cell_target import CellTarget
from nasray.trainables.core.compute import place_module
from nasray.trainables.data.image_data import load_data
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.settings.block_distillation import BlockDistillationConfig
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.teacher.unit import TeacherResult, TeacherSpec
from nasray.trainables.units import run_unit

CHOICES = ("skip", "mb3k3", "sep3")


class RandomFeatures:
    """A source of features: fixed random maps per image, of the shapes that a teacher of two blocks would give."""

    shapes = ((1, 8, 8), (12, 8, 8), (16, 4, 4))

    def __init__(self, block):
        self._block = block

    def pairs(self, split, jobs):
        return (self._pair(split, positions) for positions, _ in jobs)

    def _pair(self, split, positions):
        def features(boundary):
            maps = [
                torch.randn(
                    self.shapes[boundary], generator=torch.Generator().manual_seed(int(p) * 3 + boundary)
                )
                for p in positions
            ]
            return torch.stack(maps)

        images = split.images(positions) if self._block == 0 else features(self._block)
        return images, features(self._block + 1)


@pytest.fixture(scope="session")
def space():
    """Two blocks; the second may be entered at two widths."""
    first = BlockSpace(1, (Cell(2, 12, (CHOICES, CHOICES)), Cell(2, 8, (CHOICES, CHOICES))))
    second = BlockSpace(2, (Cell(3, 14, (CHOICES, ("skip", "mb3k3"), CHOICES)),))
    stem = (Layer("conv3", 8, 1),)
    return SearchSpace("tiny", (1, 8, 8), 10, stem, None, 0.0, (first, second), OPERATIONS)


@pytest.fixture(scope="session")
def images():
    return load_data(DataConfig(num_train_images=96, num_held_out_images=40), seed=0)


@pytest.fixture
def block_data(images):
    def build(block):
        return BlockData(images, RandomFeatures(block), ComputeConfig(device="cpu"), seed=0)

    return build


@pytest.fixture
def supernet(space):
    def build(block, cell=0, *, zero_init=True, always_adapt=False, seed=0):
        torch.manual_seed(seed)
        return CellSupernet(
            space,
            block,
            space.blocks[block].cells[cell],
            *RandomFeatures.shapes[block : block + 2],
            zero_init=zero_init,
            always_adapt=always_adapt,
        )

    return build


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def search(tmp_path_factory):
    """The inputs of a search, its trained teacher beside them: two blocks of two cells each, of different widths."""
    folder = tmp_path_factory.mktemp("search")
    operations = ["skip", "mb3k3"]
    cells = [
        [{"depth": 2, "width": 12}, {"depth": 1, "width": 8}],
        [{"depth": 2, "width": 16}, {"depth": 1, "width": 12}],
    ]
    inputs = SearchInputs.model_validate(
        {
            "seed": 0,
            "data": {"num_train_images": 256, "num_held_out_images": 80},
            "teacher": {
                "source": "largest",
                "train": {"epochs": 12, "batch_size": 32, "optimizer": "adamw", "lr": 0.01},
            },
            "search_space": {
                "source": "declared",
                "stem": [{"operation": "conv3", "width": 8}],
                "blocks": [{"stride": 2, "operations": operations, "cells": block} for block in cells],
            },
            "features": {"mode": ["online"] * 2},
            "compute": {"device": "cpu"},
            "teacher_folder": folder / "teacher",
            "features_root": folder / "features",
        }
    )
    list(run_unit(TeacherSpec.of(inputs)))
    return inputs


@pytest.fixture
def targets(search, tmp_path):
    """The search's cells, with places for their results."""

    def build(**rating):
        shared = {"num_batches": 4, "calibration_images": 64, "calibration_batch_size": 32}
        config = BlockDistillationConfig.model_validate(
            {"epochs": 1, "batch_size": 32, "adapters": "needed", "rating": shared | rating}
        )
        return {
            (block, cell.name): CellTarget(
                block=block,
                cell=cell.name,
                config=config,
                folder=tmp_path / f"{block}_{cell.name}",
                table=tmp_path / "ratings" / f"block_{block}" / f"{cell.name}.parquet",
            )
            for block, space in enumerate(search.space.blocks)
            for cell in space.cells
        }

    return build


@pytest.fixture
def save_supernets(search, targets):
    """Saves weights of all cells and gives their supernets: random ones, as far as `prepare(block, cell, net)`
    does not change them."""

    def save(*, always_adapt, prepare=lambda block, cell, net: None):
        shapes = TeacherResult.read(search.teacher_folder).feature_shapes
        found = {}
        for place, target in targets().items():
            block, cell = target.block, search.space.blocks[target.block].cell(target.cell)
            torch.manual_seed(7)
            net = CellSupernet(
                search.space,
                block,
                cell,
                shapes[block],
                shapes[block + 1],
                zero_init=False,
                always_adapt=always_adapt,
            )
            prepare(block, target.cell, net)
            target.folder.mkdir()
            save_file(net.state_dict(), target.weights)
            found[place] = place_module(search.compute, net, search.device)
        return found

    return save
