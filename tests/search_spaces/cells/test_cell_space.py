"""What every cell space must keep to, as `conformance.py` says it for chains of blocks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision.models.feature_extraction import create_feature_extractor

from nasray.search_spaces.build import SHIPPED_CELL_SPACES
from nasray.search_spaces.cells.genotype import CellGenotype, Genotype
from nasray.search_spaces.cells.nasbench201 import nasbench201
from nasray.search_spaces.costs.cost import measure


@pytest.fixture(params=SHIPPED_CELL_SPACES)
def space(request):
    num_cells = 1 if request.param == "nasbench201" else 3
    return SHIPPED_CELL_SPACES[request.param]((3, 9, 12), 4, channels=4, num_cells=num_cells)


def samples(space, count):
    rng = np.random.default_rng(0)
    return [space.sample(rng) for _ in range(count)]


def test_texts_round_trip(space):
    for genotype in samples(space, 50):
        assert space.parse(str(genotype)) == genotype


def test_the_same_seed_gives_the_same_samples(space):
    assert samples(space, 5) == samples(space, 5)
    assert len(set(map(str, samples(space, 20)))) > 10


def test_foreign_genotypes_are_refused(space):
    genotype = samples(space, 1)[0]
    with pytest.raises(ValueError, match="must have the cells"):
        space.check(Genotype({**genotype.cells, "other": CellGenotype.parse("|skip_connect~0|")}))
    name = space.cell_types[-1].name
    foreign = Genotype({**genotype.cells, name: CellGenotype.parse("|skip_connect~0|")})
    for refuses in (space.check, space.build, space.cost, lambda genotype: space.parse(str(genotype))):
        with pytest.raises(ValueError, match=f"cell {name} must have"):
            refuses(foreign)


@pytest.mark.parametrize("shape", [(3, 9, 12), (1, 8, 8)])
def test_sampled_networks_train(space, shape):
    space = replace(space, input_shape=shape)
    for genotype in samples(space, 2):
        network = space.build(genotype)
        logits = network(torch.randn(2, *shape))
        assert logits.shape == (2, 4)
        logits.square().sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())
        assert network.head[-1].weight.grad.abs().sum() > 0


def test_costs_are_those_of_the_built_network(space):
    for genotype in samples(space, 2):
        network = space.build(genotype)
        cost = space.cost(genotype)
        assert cost == measure(network, space.input_shape)
        assert cost.num_params == sum(parameter.numel() for parameter in network.parameters())
        assert cost.num_macs > 0


def test_networks_can_be_traced(space):
    network = space.build(samples(space, 1)[0]).eval()
    images = torch.randn(2, *space.input_shape)
    traced = create_feature_extractor(network, ["head"])
    outputs, again = network(images), traced(images)["head"]
    assert again.shape == outputs.shape


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_shape": (3, 7, 8)}, r"at least 8 pixels high and wide, got \(3, 7, 8\)"),
        ({"input_shape": (0, 8, 8)}, "must have channels"),
        ({"num_classes": 0}, "num_classes must be at least 1, got 0"),
        ({"channels": 0}, "channels must be at least 1, got 0"),
        ({"num_cells": 0}, "num_cells must be at least 1, got 0"),
    ],
)
def test_impossible_spaces_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(nasbench201((3, 8, 8), 10), **changes)


def test_unknown_operations_are_refused():
    space = nasbench201((3, 8, 8), 10)
    cell_type = replace(space.cell_types[0], choices=(("none", "nor_conv_7x7"),) * 6)
    with pytest.raises(ValueError, match=r"operation must be one of .* got 'nor_conv_7x7'"):
        replace(space, cell_types=(cell_type,))
