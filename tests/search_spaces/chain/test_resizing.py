import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nasray.search_spaces.chain.resizing import Resize, resized


@pytest.mark.parametrize(("size", "new_size"), [((4, 5), (7, 9)), ((9, 8), (4, 3)), ((6, 3), (4, 5))])
def test_maps_are_those_of_torchs_interpolation(size, new_size):
    maps = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(maps, new_size, mode="bilinear", antialias=True)
    torch.testing.assert_close(Resize(size, new_size)(maps), expected)


def test_a_block_works_at_its_own_size():
    sizes = []

    class Block(nn.Module):
        def forward(self, maps):
            sizes.append(tuple(maps.shape[2:]))
            return maps[:, :, ::2, ::2]

    block = resized(Block(), entry=((8, 8), (10, 10)), leave=((5, 5), (4, 4)))
    assert block(torch.zeros(1, 2, 8, 8)).shape == (1, 2, 4, 4)
    assert sizes == [(10, 10)]


def test_a_block_of_the_same_sizes_stays_as_it_is():
    block = nn.Identity()
    assert resized(block, entry=((8, 8), (8, 8)), leave=((4, 4), (4, 4))) is block


def test_what_resizes_is_no_part_of_the_weights():
    assert not Resize((4, 4), (5, 5)).state_dict()
