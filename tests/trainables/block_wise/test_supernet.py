from collections import Counter

import torch
from torch import nn

from nasray.search_spaces.architecture import Candidate
from nasray.trainables.block_wise.supernet import Path


def test_output_has_the_teachers_width_for_every_entry(supernet):
    net = supernet(1)
    assert net.entry_widths == (8, 12)
    features = torch.randn(3, 12, 8, 8)
    for entry in range(2):
        assert net(features, Path(entry, (0, 1, 2))).shape == (3, 16, 4, 4)


def test_adapters_stand_only_where_widths_differ(supernet):
    second, first = supernet(1), supernet(0)
    assert isinstance(second.entries[1], nn.Identity)
    assert isinstance(second.entries[0], nn.Conv2d)
    assert isinstance(second.exit, nn.Conv2d)
    assert isinstance(first.exit, nn.Identity)
    assert isinstance(supernet(0, cell=1).exit, nn.Conv2d)


def test_a_path_is_the_block_that_is_built(supernet, space, rng):
    """Without adapters, the supernet's path with the built network's weights gives the built block's output."""
    net = supernet(0).eval()
    architecture = space.sample(rng)
    while architecture.candidates[0].width != 12:
        architecture = space.sample(rng)
    built = space.build(architecture).eval()
    candidate = architecture.candidates[0]
    path = net.path(1, candidate.operations)
    net.entries[0].load_state_dict(nn.Sequential(*list(built.blocks[0])[:1]).state_dict())
    for index, choice in enumerate(path.choices):
        net.layer(index, 0)[choice].load_state_dict(built.blocks[0][1 + index].state_dict())
    images = torch.randn(2, 1, 8, 8)
    torch.testing.assert_close(net(images, path), built.blocks[0](images))


def test_a_path_as_a_module_is_what_the_supernet_computes(supernet):
    net, features = supernet(1).eval(), torch.randn(3, 12, 8, 8)
    for path in Path(0, (0, 1, 2)), Path(1, (2, 0, 0)):
        torch.testing.assert_close(net.block(path)(features), net(features, path), rtol=0, atol=0)


def test_adapters_may_stand_everywhere(supernet):
    later, first = supernet(1, always_adapt=True), supernet(0, always_adapt=True)
    assert [(entry.in_channels, entry.out_channels) for entry in later.entries] == [(12, 8), (12, 12)]
    assert (first.exit.in_channels, first.exit.out_channels) == (12, 12)
    assert not isinstance(first.entries[0], nn.Conv2d)  # the stem takes the image as it is


def test_path_of_a_candidate_follows_the_cells_choices(supernet):
    net = supernet(1)
    candidate = Candidate.parse("3x14:sep3,mb3k3,skip")
    assert net.path(12, candidate.operations) == Path(1, (2, 1, 0))


def test_zero_initialised_branches_add_nothing(supernet):
    """With every residual branch at zero, a layer with a shortcut gives its input."""
    features = torch.randn(2, 12, 8, 8)
    zeroed, plain = (
        supernet(0, zero_init=zero_init).later_layers[0][1].eval() for zero_init in (True, False)
    )
    torch.testing.assert_close(zeroed(features), features)
    assert not torch.allclose(plain(features), features, atol=1e-3)


def test_uniform_paths_cover_all_candidates_evenly(supernet, rng):
    net = supernet(1)
    counts = Counter(net.uniform_path(rng) for _ in range(7200))
    assert len(counts) == 2 * 3 * 2 * 3
    assert 120 < min(counts.values()) <= max(counts.values()) < 290


def test_a_fair_round_takes_each_operation_once(supernet, rng):
    net = supernet(0)
    for _ in range(20):
        round_ = net.fair_round(rng)
        assert len(round_) == 3
        for layer in range(2):
            assert sorted(path.choices[layer] for path in round_) == [0, 1, 2]


def test_fair_rounds_differ(supernet, rng):
    net = supernet(0)
    assert len({tuple(net.fair_round(rng)) for _ in range(20)}) > 5
