from dataclasses import replace

import pytest
import torch
from torch import nn

from nasray.analysis.exact.ranking import top_architectures
from nasray.search_spaces.artefacts import rating_table
from nasray.search_spaces.artefacts.columns import CANDIDATE, NUM_MACS, RATING, RATING_BATCHES, UNCOUNTED
from nasray.search_spaces.chain.block import BlockSpace, Cell
from nasray.search_spaces.chain.mbconv import digits
from nasray.search_spaces.costs.uncounted import check_counted, lower_bounds, uncounted_operators
from nasray.search_spaces.operations.layer import Layer


class Spectral(nn.Conv2d):
    """A 1x1 convolution of a spectrum, which no counter counts."""

    def forward(self, x):
        return torch.fft.irfft2(torch.fft.rfft2(super().forward(x)), s=x.shape[2:])


class TellingSpectral(Spectral):
    def num_macs(self, input_shape):
        return 10_000


def space(module=Spectral, *, stem="conv3"):
    own = {"own": lambda in_channels, out_channels, stride: module(in_channels, out_channels, 1)}
    blocks = (
        BlockSpace(1, (Cell(2, 8, (("own", "conv1"), ("conv1", "own"))),)),
        BlockSpace(2, (Cell(1, 8, (("conv1", "conv3"),)),)),
    )
    plain = digits((1, 8, 8), 10)
    return replace(plain, stem=(Layer(stem, 8),), blocks=blocks, operations=plain.operations | own)


NAMES = "aten._fft_c2r, aten._fft_r2c"


def test_candidates_name_what_is_not_counted_in_them():
    table = space().candidate_table(0)
    assert table.set_index(CANDIDATE)[UNCOUNTED].notna().to_dict() == {
        "2x8:own,conv1": True,
        "2x8:own,own": True,
        "2x8:conv1,conv1": False,
        "2x8:conv1,own": True,
    }
    assert set(table[UNCOUNTED].dropna()) == {NAMES}
    assert space().candidate_table(1)[UNCOUNTED].isna().all()
    assert space().cost("2x8:conv1,own/1x8:conv1").uncounted == set(NAMES.split(", "))


def test_a_stem_that_is_not_counted_is_in_all_candidates_of_the_first_block():
    assert set(space(stem="own").candidate_table(0)[UNCOUNTED]) == {NAMES}


def test_what_a_module_tells_of_itself_counts():
    tables = space(TellingSpectral).candidate_tables()
    check_counted(tables, "a budget")
    macs = tables[0].set_index(CANDIDATE)[NUM_MACS]
    assert macs["2x8:own,own"] - macs["2x8:conv1,conv1"] == 2 * 10_000 - 2 * 64 * 8 * 8


def test_budgets_on_what_is_not_counted_are_refused():
    message = (
        r"budgets must rest on .* aten\._fft_c2r.* in 3 of 4 rows of block 0, .* num_macs\(input_shape\)"
    )
    with pytest.raises(ValueError, match=message):
        check_counted(space().candidate_tables(), "budgets")


def test_a_ranking_says_what_its_macs_lack():
    tables = [table.assign(**{RATING: 1.0}) for table in space().candidate_tables()]
    ranking = top_architectures(tables)
    assert ranking.attrs["certificate"]["uncounted"] == NAMES.split(", ")
    assert "those of aten._fft_c2r, aten._fft_r2c cannot be counted" in lower_bounds(NAMES.split(", "))
    assert top_architectures(tables, {"num_params": 1e9}, 1)["score"].tolist() == [2.0]
    assert not top_architectures([table.drop(columns=UNCOUNTED) for table in tables]).attrs["certificate"][
        "uncounted"
    ]


def test_the_names_are_kept_on_disk(tmp_path):
    table = space().candidate_table(0)
    rated = table.assign(**{RATING: 1.0, RATING_BATCHES: [[1.0]] * len(table), "failure": None})
    rating_table.write(rated, tmp_path / "table.parquet")
    read = rating_table.read(tmp_path / "table.parquet")
    assert uncounted_operators(read) == set(NAMES.split(", "))
    assert read[UNCOUNTED].isna().tolist() == [False, False, True, False]
