import pandas as pd
import pytest

from nasray.search_spaces.artefacts import rating_table
from nasray.trainables.block_wise.units.cell import BlockSpec, RatingSpec, RatingTableSpec
from nasray.trainables.units import run_unit

CELL = (1, "2x16")


def train(search, target, tmp_path, *, rate):
    name = f"block_{target.block}/{target.cell}"
    spec = BlockSpec(name=name, folder=tmp_path / "unit", inputs=search, target=target, rate=rate)
    return list(run_unit(spec))


@pytest.fixture
def whole(search, targets, tmp_path):
    """The table of a cell that is rated in the unit of its training."""
    target = targets()[CELL]
    train(search, target, tmp_path, rate=True)
    return rating_table.read(target.table)


def test_a_cells_table_has_both_ratings(whole, search):
    assert len(whole) == 2 * 4  # entry widths, candidates
    assert whole["failure"].isna().all()
    assert (whole["swap_in"] > 0).all()
    assert set(whole["swap_in_batches"].map(len)) == {4}


def test_parts_are_joined_to_the_table_of_the_whole(whole, search, targets, tmp_path):
    target = targets()[CELL]
    content = target.table.read_bytes()
    target.table.unlink()
    for subtree in range(4):
        spec = RatingSpec(
            name=f"part_{subtree}",
            folder=tmp_path / f"part_{subtree}",
            inputs=search,
            target=target,
            subtree=subtree,
        )
        assert list(run_unit(spec)) == [{"num_rated": 2}]
    joined = RatingTableSpec(
        name="joined", folder=tmp_path / "joined", inputs=search, target=target, num_subtrees=4
    )
    assert list(run_unit(joined)) == [{"num_rated": 8}]
    assert target.table.read_bytes() == content


def test_without_images_to_swap_in_there_is_the_first_rating_alone(whole, search, targets, tmp_path):
    target = targets(swap_in_images=0)[CELL]
    train(search, target, tmp_path, rate=True)
    table = rating_table.read(target.table)
    swapped_in = list(rating_table.OPTIONAL)
    assert table[swapped_in].isna().all(axis=None)
    pd.testing.assert_frame_equal(table.drop(columns=swapped_in), whole.drop(columns=swapped_in))


def test_fewer_images_change_the_second_rating_alone(whole, search, targets, tmp_path):
    target = targets(swap_in_images=8)[CELL]
    train(search, target, tmp_path, rate=True)
    table = rating_table.read(target.table)
    assert (table["swap_in"] != whole["swap_in"]).all()
    assert table["rating"].tolist() == whole["rating"].tolist()
