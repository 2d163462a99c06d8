import pytest
import torch

from nasray.search_spaces.chain.mbconv import digits
from nasray.trainables.cutting.cutting import cut


@pytest.fixture(scope="session")
def teacher():
    """The smallest network of the digits' space, untrained, cut behind its three blocks."""
    space = digits((1, 8, 8), 10)
    torch.manual_seed(0)
    return cut(space.build(space.smallest()), ["blocks.0", "blocks.1", "blocks.2"], (1, 8, 8))
