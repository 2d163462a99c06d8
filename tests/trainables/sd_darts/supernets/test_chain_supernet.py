import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, vmap

from nasray.search_spaces.architecture import Architecture
from nasray.trainables.core.batch_norm import with_batch_statistics
from nasray.trainables.sd_darts.supernets.chain_supernet import shortfalls

IMAGES = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def architectures(space):
    for candidates in itertools.product(*(block.candidates() for block in space.blocks)):
        yield str(Architecture(candidates))


def by_hand(net, space, weights):
    """The supernet's logits, written down choice by choice."""
    x = net.stem(IMAGES.to(net.head[-1].weight.dtype))
    for k, block in enumerate(space.blocks):
        outputs = []
        for c, cell in enumerate(block.cells):
            y = x
            for layer, choices in enumerate(cell.operations):
                weight = weights[f"block_{k}/{cell.name}/layer_{layer}"]
                operations = net.blocks[k].cells[c][layer]
                assert len(operations) == len(choices)
                y = sum(w * operation(y) for w, operation in zip(weight, operations, strict=True))
            outputs.append(net.blocks[k].exits[c](y))
        shares = weights.get(f"block_{k}/cells", torch.ones(1))
        x = sum(share * output for share, output in zip(shares, outputs, strict=True))
    return net.head(x)


def wired(net, space, architecture):
    """The network of an architecture made of the supernet's own modules, adapters kept."""
    layers = [net.stem]
    for k, candidate in enumerate(Architecture.parse(architecture).candidates):
        block = space.blocks[k]
        c = block.cells.index(block.cell(candidate.cell))
        for layer, operation in enumerate(candidate.operations):
            choice = block.cells[c].operations[layer].index(operation)
            layers.append(net.blocks[k].cells[c][layer][choice])
        layers.append(net.blocks[k].exits[c])
    return nn.Sequential(*layers, net.head)


def test_logits_are_weighted_sums_of_all_choices(supernet, space):
    net = with_batch_statistics(supernet()).double()
    torch.testing.assert_close(net(IMAGES.double()), by_hand(net, space, net.weights()))
    uniform = {name: torch.full_like(weight, 1 / len(weight)) for name, weight in net.weights().items()}
    torch.testing.assert_close(net(IMAGES.double(), uniform), by_hand(net, space, uniform))


def test_one_hot_weights_leave_the_network_of_the_architecture(supernet, space):
    net = supernet()
    net(IMAGES)
    net.eval()
    rng = np.random.default_rng(0)
    found = {str(space.sample(rng)) for _ in range(12)}
    assert {Architecture.parse(text).candidates[0].cell for text in found} == {"2x8", "1x12", "1x8"}
    with torch.no_grad():
        for architecture in found:
            weights = net.one_hot(architecture)
            assert all(set(weight.tolist()) <= {0.0, 1.0} for weight in weights.values())
            torch.testing.assert_close(net(IMAGES, weights), wired(net, space, architecture)(IMAGES))


def test_alphas_have_the_gradient_of_finite_differences(supernet):
    net = with_batch_statistics(supernet()).double()
    names = [f"arch_parameters.{name}" for name in net.arch_parameters]
    labels = torch.arange(6)

    def loss(*alphas):
        logits = functional_call(net, dict(zip(names, alphas, strict=True)), (IMAGES.double(),))
        return nn.functional.cross_entropy(logits, labels)

    alphas = tuple(net.get_parameter(name).requires_grad_() for name in names)
    assert len(alphas) == 7
    assert torch.autograd.gradcheck(loss, alphas)
    assert torch.autograd.gradgradcheck(loss, alphas)


def test_every_architecture_is_found_again_by_its_weights(supernet, space):
    net = supernet()
    everything = list(architectures(space))
    assert len(everything) == space.num_architectures == (6 + 3 + 2) * 9
    for architecture in everything:
        for name, weight in net.one_hot(architecture).items():
            net.arch_parameters[name].data = weight
        assert net.discretize() == architecture


def test_ties_go_to_the_first(supernet):
    net = supernet()
    for alpha in net.arch_parameters.values():
        nn.init.zeros_(alpha)
    assert net.discretize() == "2x8:skip,skip/2x12:skip,skip"


def test_only_blocks_of_several_cells_choose_one(supernet):
    net = supernet()
    assert {name: len(alpha) for name, alpha in net.arch_parameters.items()} == {
        "block_0/cells": 3,
        "block_0/2x8/layer_0": 3,
        "block_0/2x8/layer_1": 2,
        "block_0/1x12/layer_0": 3,
        "block_0/1x8/layer_0": 2,
        "block_1/2x12/layer_0": 3,
        "block_1/2x12/layer_1": 3,
    }


def test_adapters_stand_only_at_the_narrower_cells(supernet):
    first, second = supernet().blocks
    assert [type(leave) for leave in first.exits] == [nn.Conv2d, nn.Identity, nn.Conv2d]
    assert [type(leave) for leave in second.exits] == [nn.Identity]
    assert first.exits[0].weight.shape == (12, 8, 1, 1)


def test_skips_are_counted(supernet):
    net = supernet()
    assert net.num_skips("2x8:skip,mb1k3/2x12:skip,skip") == 3
    assert net.num_skips("1x12:sep3/2x12:sep3,mb1k3") == 0


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("1x12:skip", "must have 2 blocks, got 1"),
        ("1x8:skip/2x12:skip,skip", "layer 0 of 1x8 must be one of mb1k3, sep3"),
        ("1x16:skip/2x12:skip,skip", "block 0: cell must be one of 2x8, 1x12, 1x8"),
    ],
)
def test_architectures_of_other_spaces_are_refused(supernet, architecture, message):
    with pytest.raises(ValueError, match=message):
        supernet().one_hot(architecture)


def test_stacked_states_give_what_each_gives(supernet):
    nets = [with_batch_statistics(supernet(seed=seed)) for seed in range(3)]
    stacked = {
        name: torch.stack([net.get_parameter(name) for net in nets]) for name, _ in nets[0].named_parameters()
    }
    with torch.no_grad():
        logits = vmap(lambda state: functional_call(nets[0], state, (IMAGES,)))(stacked)
        for net, one in zip(nets, logits, strict=True):
            torch.testing.assert_close(one, net(IMAGES), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_shortfalls_are_smallest_for_what_the_alphas_stand_for(supernet, space):
    net = supernet()
    for number, alpha in enumerate(net.arch_parameters.values()):
        alpha.copy_(torch.randn(alpha.shape, generator=torch.Generator().manual_seed(number)))
    found = shortfalls(space, {name: weight.tolist() for name, weight in net.weights().items()})
    scores = {
        name: sum(of_block[part] for of_block, part in zip(found, name.split("/"), strict=True))
        for name in architectures(space)
    }
    assert min(scores, key=scores.__getitem__) == net.discretize()
    assert min(scores.values()) == 0
    alphas = net.arch_parameters["block_1/2x12/layer_0"]
    skip, other = (found[1][f"2x12:{name},skip"] for name in ("skip", "sep3"))
    assert other - skip == pytest.approx(float(alphas[0] - alphas[2]), abs=1e-5)
