"""What every search space must keep to, one function per promise; `test_spaces.py` runs them on each."""

import itertools

import numpy as np
import pytest
import torch
from torchvision.models.feature_extraction import create_feature_extractor

from nasray.search_spaces.architecture import Architecture, Candidate
from nasray.search_spaces.artefacts import rating_table
from nasray.search_spaces.artefacts.columns import (
    CANDIDATE,
    CELL,
    DEPTH,
    IN_CHANNELS,
    OPERATIONS,
    OUT_CHANNELS,
    WIDTH,
)
from nasray.search_spaces.artefacts.costs import counted_costs
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.costs.cost import Cost, measure

_ENUMERABLE = 2_000


def texts_and_indices_round_trip(space: SearchSpace) -> None:
    for architecture in _samples(space, 50):
        assert Architecture.parse(str(architecture)) == architecture
        assert space.decode(space.encode(architecture)) == architecture


def the_same_seed_gives_the_same_samples(space: SearchSpace) -> None:
    assert _samples(space, 5) == _samples(space, 5)
    assert len(set(_samples(space, 20))) > 1


def counts_equal_an_enumeration(space: SearchSpace) -> None:
    product = 1
    for block in space.blocks:
        product *= sum(cell.num_candidates for cell in block.cells)
        for cell in block.cells:
            if cell.num_candidates <= _ENUMERABLE:
                assert len(set(cell.candidates())) == cell.num_candidates
        for index, candidate in enumerate(itertools.islice(block.candidates(), _ENUMERABLE)):
            assert block.index(candidate) == index
            assert block.candidate(index) == candidate
    assert space.num_architectures == product


def foreign_architectures_are_refused(space: SearchSpace) -> None:
    candidates = _samples(space, 1)[0].candidates
    foreign = Candidate(9_999, candidates[-1].operations)
    with pytest.raises(ValueError, match=f"block {len(candidates) - 1}: cell must be one of"):
        space.check(Architecture((*candidates[:-1], foreign)))
    with pytest.raises(ValueError, match=f"must have {len(candidates)} blocks"):
        space.check(Architecture((*candidates, foreign)))


def sampled_networks_train(space: SearchSpace) -> None:
    images = torch.randn(2, *space.input_shape)
    for architecture in _samples(space, 2):
        network = space.build(architecture)
        logits = network(images)
        assert logits.shape == (2, space.num_classes)
        logits.square().sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def costs_are_those_of_the_built_network(space: SearchSpace) -> None:
    tables = [space.candidate_table(k) for k in range(len(space.blocks))]
    for architecture in _samples(space, 3):
        network = space.build(architecture)
        cost = space.cost(architecture)
        assert cost == measure(network, space.input_shape)
        assert cost.num_params == sum(parameter.numel() for parameter in network.parameters())
        entry_width, total = space.input_shape[0], Cost.zero
        for table, candidate in zip(tables, architecture.candidates, strict=True):
            of_candidate = table[CANDIDATE] == str(candidate)
            (row,) = table[of_candidate & (table[IN_CHANNELS] == entry_width)].index
            total += Cost({kind.name: table[kind.name][row] for kind in counted_costs()})
            entry_width = candidate.width
        assert total == cost


def candidate_tables_list_every_candidate_per_entry_width(space: SearchSpace) -> None:
    for k, block in enumerate(space.blocks):
        table = space.candidate_table(k)
        candidates = [str(candidate) for candidate in block.candidates()]
        assert table[CANDIDATE].tolist() == candidates * len(space.entry_widths(k))
        assert table[IN_CHANNELS].tolist() == list(np.repeat(space.entry_widths(k), len(candidates)))
        parsed = [Candidate.parse(text) for text in candidates] * len(space.entry_widths(k))
        assert table[CELL].tolist() == [candidate.cell for candidate in parsed]
        assert table[DEPTH].tolist() == [candidate.depth for candidate in parsed]
        assert table[WIDTH].tolist() == [candidate.width for candidate in parsed]
        assert table[OUT_CHANNELS].tolist() == [candidate.width for candidate in parsed]
        assert table[OPERATIONS].tolist() == [",".join(c.operations) for c in parsed]
        rated = table.assign(rating=1.0, rating_batches=[[1.0]] * len(table), failure=None)
        rating_table.check(rated)


def networks_can_be_cut_at_their_blocks(space: SearchSpace) -> None:
    for architecture in _samples(space, 2):
        names = [f"blocks.{k}" for k in range(len(space.blocks))]
        with torch.device("meta"):
            features = create_feature_extractor(space.build(architecture), names)
            maps = features(torch.empty(2, *space.input_shape))
        entry_width = space.input_shape[0]
        assert space.block_input_shape(0, entry_width) == space.input_shape
        for k, candidate in enumerate(architecture.candidates):
            assert entry_width in space.entry_widths(k)
            assert maps[f"blocks.{k}"].shape[1:] == space.block_output_shape(k, candidate.width)
            if k:
                assert space.block_input_shape(k, entry_width) == maps[f"blocks.{k - 1}"].shape[1:]
            entry_width = candidate.width


def single_layers_carry_the_weights_of_the_network(space: SearchSpace) -> None:
    with torch.device("meta"):
        (architecture,) = _samples(space, 1)
        network = space.build(architecture)
        in_channels = space.stem[-1].width if space.stem else space.input_shape[0]
        for k, candidate in enumerate(architecture.candidates):
            layers = [*space.build_stem()] if k == 0 else []
            for layer, operation in enumerate(candidate.operations):
                layers.append(space.build_layer(k, layer, operation, in_channels, candidate.width))
                in_channels = candidate.width
            assert _shapes(torch.nn.Sequential(*layers)) == _shapes(network.blocks[k])
        assert _shapes(space.build_head(in_channels)) == _shapes(network.head)


def extremes_bound_every_sample(space: SearchSpace) -> None:
    least, most = space.cost(space.smallest()), space.cost(space.largest())
    for architecture in _samples(space, 200):
        assert least.num_macs <= space.cost(architecture).num_macs <= most.num_macs


PROMISES = (
    texts_and_indices_round_trip,
    the_same_seed_gives_the_same_samples,
    counts_equal_an_enumeration,
    foreign_architectures_are_refused,
    sampled_networks_train,
    costs_are_those_of_the_built_network,
    candidate_tables_list_every_candidate_per_entry_width,
    networks_can_be_cut_at_their_blocks,
    single_layers_carry_the_weights_of_the_network,
    extremes_bound_every_sample,
)


def _samples(space: SearchSpace, count: int) -> list[Architecture]:
    rng = np.random.default_rng(0)
    return [space.sample(rng) for _ in range(count)]


def _shapes(module: torch.nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in module.state_dict().items()}
