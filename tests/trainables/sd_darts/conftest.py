import pytest
import torch

from nasray.search_spaces.settings import SpaceConfig
from nasray.trainables.core.compute import place_module, prepare
from nasray.trainables.inputs import UnitInputs
from nasray.trainables.sd_darts.halves import Halves
from nasray.trainables.sd_darts.trainable import build_method, build_supernet
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.settings.sd_darts import SdDartsConfig

CHOICES = ["skip", "mb1k3", "sep3"]
# Two blocks; the first one has three cells of two widths, and two of its cells have the same depth.
CHAIN = {
    "source": "declared",
    "stem": [{"operation": "conv3", "width": 8}],
    "blocks": [
        {
            "stride": 2,
            "cells": [
                {"depth": 2, "width": 8, "operations": [CHOICES, CHOICES[:2]]},
                {"depth": 1, "width": 12, "operations": CHOICES},
                {"depth": 1, "width": 8, "operations": CHOICES[1:]},
            ],
        },
        {"stride": 1, "operations": CHOICES, "cells": [{"depth": 2, "width": 12}]},
    ],
}
CELLS = {"source": "nasbench201", "channels": 4, "num_cells": 1}
NOISY_CELLS = {"source": "darts_s4", "channels": 2, "num_cells": 3}


@pytest.fixture(scope="session")
def compute():
    config = ComputeConfig(device="cpu")
    prepare(config)
    return config


@pytest.fixture(scope="session")
def unit_inputs(compute):
    """Inputs with 95 images of digits to train on, an odd number, and 40 to measure."""
    found = {}

    def build(space):
        if space["source"] not in found:
            data = DataConfig(num_train_images=95, num_held_out_images=40)
            config = SpaceConfig.model_validate(space)
            found[space["source"]] = UnitInputs(seed=0, data=data, search_space=config, compute=compute)
        return found[space["source"]]

    return build


@pytest.fixture(scope="session")
def inputs(unit_inputs):
    return unit_inputs(CHAIN)


@pytest.fixture(scope="session")
def space(inputs):
    return inputs.space


@pytest.fixture(scope="session")
def cell_inputs(unit_inputs):
    return unit_inputs(CELLS)


@pytest.fixture(scope="session")
def cell_space(cell_inputs):
    """The space of NAS-Bench-201 with one small cell per stage."""
    return cell_inputs.space


@pytest.fixture(scope="session")
def noisy_space(unit_inputs):
    """A space one of whose operations is noise."""
    return unit_inputs(NOISY_CELLS).space


@pytest.fixture(scope="session")
def images(inputs):
    return inputs.images


@pytest.fixture(scope="session")
def halves(images, compute):
    return Halves(images, compute, seed=0)


@pytest.fixture
def supernet(space, compute):
    """Builds supernets, of the chain unless another space is given; with alphas that differ."""

    def build(of=space, *, seed=0):
        torch.manual_seed(seed)
        net = place_module(compute, build_supernet(of), torch.device("cpu"))
        for alpha in net.arch_parameters.values():
            alpha.data = torch.randn_like(alpha)
        return net

    return build


@pytest.fixture
def search(inputs, supernet, tmp_path):
    """Builds a supernet with its search, which measures little and seldom."""

    def build(of=inputs, *, seed=0, folder="parts", **settings):
        measure = {"every_epochs": 100, "num_images": 8, "calibration_images": 8, "noise_sigmas": (0.1,)}
        quick = {"epochs": 3, "batch_size": 16, "lr": 0.05, "alpha_lr": 0.01, "measure": measure}
        config = SdDartsConfig.model_validate(quick | settings)
        net = supernet(of.space, seed=seed)
        return net, build_method(net, of, config, tmp_path / folder)

    return build
