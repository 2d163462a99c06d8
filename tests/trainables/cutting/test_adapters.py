import pytest
import torch

from nasray.trainables.cutting.adapters import can_be_adapted, entry_adapter, exit_adapter


def test_maps_of_the_same_width_need_no_adapter():
    maps = torch.randn(2, 6, 3, 4)
    for adapter in (entry_adapter, exit_adapter):
        assert torch.equal(adapter((6, 3, 4), (6, 3, 4), always=False)(maps), maps)
        assert adapter((6, 3, 4), (6, 3, 4), always=True)(maps).shape == maps.shape
    assert exit_adapter((6, 3, 4), (9, 3, 4), always=False)(maps).shape == (2, 9, 3, 4)


@pytest.mark.parametrize("num_extra", [0, 1, 2])
def test_tokens_become_maps_and_maps_tokens(num_extra):
    tokens = torch.randn(2, num_extra + 12, 6)
    maps = entry_adapter((num_extra + 12, 6), (6, 3, 4), always=False)(tokens)
    assert maps.shape == (2, 6, 3, 4)
    assert torch.equal(maps[:, :, 1, 2], tokens[:, num_extra + 4 + 2])
    back = exit_adapter((6, 3, 4), (num_extra + 12, 6), always=False)(maps)
    assert back.shape == tokens.shape
    assert torch.equal(back[:, num_extra:], tokens[:, num_extra:])


def test_widths_of_tokens_are_adapted():
    tokens = torch.randn(2, 13, 6)
    maps = entry_adapter((13, 6), (8, 3, 4), always=False)(tokens)
    assert maps.shape == (2, 8, 3, 4)
    assert exit_adapter((8, 3, 4), (13, 6), always=False)(maps).shape == tokens.shape


@pytest.mark.parametrize(
    ("shape", "fits"),
    [
        ((5, 3, 4), True),
        ((5, 4, 3), False),
        ((12, 5), True),
        ((14, 5), True),
        ((15, 5), False),
        ((11, 5), False),
        ((5,), False),
    ],
)
def test_what_can_be_compared(shape, fits):
    assert can_be_adapted(shape, (3, 4)) is fits
