import torch
from torch import nn

from nasray.search_spaces.chain.network import Head, Network


def test_the_head_mixes_pools_and_classifies():
    head = Head(6, 20, 0.2, 3)
    assert head(torch.randn(2, 6, 4, 5)).shape == (2, 3)
    assert [part.out_channels for part in head.modules() if isinstance(part, nn.Conv2d)] == [20]
    assert [part.in_features for part in head.modules() if isinstance(part, nn.Linear)] == [20]


def test_the_head_does_without_a_convolution():
    head = Head(6, None, 0.0, 3)
    assert not [part for part in head.modules() if isinstance(part, nn.Conv2d)]
    assert head(torch.randn(2, 6, 4, 5)).shape == (2, 3)


def test_a_network_is_its_blocks_and_its_head_in_a_row():
    blocks, head = [nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1)], Head(5, None, 0.0, 2)
    images = torch.randn(2, 3, 4, 4)
    network = Network(blocks, head)
    assert torch.equal(network(images), head(blocks[1](blocks[0](images))))
    assert [name for name, _ in network.named_children()] == ["blocks", "head"]
