import sys

import pandas as pd
import pytest

from nasray.search_spaces.artefacts import rating_table
from nasray.trainables.block_wise.units.cell import BlockSpec, RatingSpec, RatingTableSpec
from nasray.trainables.block_wise.units.refinement import RefinementSpec
from nasray.trainables.block_wise.units.seeds import SeedTableSpec
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
    swapped_in = rating_table.optional_columns()
    assert table[swapped_in].isna().all(axis=None)
    pd.testing.assert_frame_equal(table.drop(columns=swapped_in), whole.drop(columns=swapped_in))


def test_fewer_images_change_the_second_rating_alone(whole, search, targets, tmp_path):
    target = targets(swap_in_images=8)[CELL]
    train(search, target, tmp_path, rate=True)
    table = rating_table.read(target.table)
    assert (table["swap_in"] != whole["swap_in"]).all()
    assert table["rating"].tolist() == whole["rating"].tolist()


@pytest.fixture
def own_metric(tmp_path, monkeypatch):
    """The file of a user's own metric, twice the mean squared error."""
    file = tmp_path / "doubled_metric.py"
    file.write_text("def rate(output, target, scale):\n    return 2 * (output - target).square().mean()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, file.stem, raising=False)
    return file


def test_a_metric_of_the_users_own_rates_the_candidates(own_metric, search, targets, tmp_path):
    tables = []
    for metric in ("mse", f"{own_metric.stem}:rate"):
        target = targets(metric=metric)[CELL]
        train(search, target, tmp_path, rate=True)
        tables.append(rating_table.read(target.table))
    shipped, own = tables
    assert own["rating"].tolist() == pytest.approx(2 * shipped["rating"], rel=1e-5)
    assert own["swap_in"].tolist() == shipped["swap_in"].tolist()


@pytest.mark.parametrize(
    ("kind", "further"),
    [
        (BlockSpec, {"rate": True}),
        (RatingSpec, {"subtree": 0}),
        (RatingTableSpec, {"num_subtrees": 4}),
        (SeedTableSpec, {}),
        (RefinementSpec, {"candidates": [(8, "2x16:skip,skip")], "first_batch": 2, "end_batch": 4}),
    ],
)
def test_what_is_rated_belongs_to_the_text_of_the_users_metric(own_metric, search, targets, kind, further):
    def fingerprint(metric):
        target = targets(metric=metric)[CELL]
        return kind(name="a", folder="a", inputs=search, target=target, **further).fingerprint

    own = f"{own_metric.stem}:rate"
    before = fingerprint(own)
    assert fingerprint(own) == before
    own_metric.write_text(own_metric.read_text().replace("2 *", "3 *"))
    assert fingerprint(own) != before
