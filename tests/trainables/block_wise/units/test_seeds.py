import numpy as np
import pytest

from nasray.search_spaces.artefacts import rating_table
from nasray.trainables.block_wise.units.cell import BlockSpec, load_supernet
from nasray.trainables.block_wise.units.seeds import SeedTableSpec, mean_over_seeds
from nasray.trainables.units import run_unit

CELL = (1, "2x16")


@pytest.fixture
def target(search, targets, tmp_path):
    """A cell whose two supernets are trained and rated."""
    first = targets()[CELL]
    target = first.model_copy(update={"config": first.config.model_copy(update={"num_seeds": 2})})
    for one in target.seeds:
        name = f"block_1/2x16/{one.training_seed}"
        spec = BlockSpec(
            name=name, folder=tmp_path / str(one.training_seed), inputs=search, target=one, rate=True
        )
        list(run_unit(spec))
    return target


def test_a_rating_is_the_mean_over_the_seeds(search, target, tmp_path):
    assert not target.table.exists()
    spec = SeedTableSpec(name="seeds", folder=tmp_path / "seeds", inputs=search, target=target)
    assert list(run_unit(spec)) == [{"num_rated": 8}]
    joined = rating_table.read(target.table)
    parts = [rating_table.read(one.own_table) for one in target.seeds]
    assert (parts[0]["rating"] != parts[1]["rating"]).all()
    np.testing.assert_allclose(joined["rating"], (parts[0]["rating"] + parts[1]["rating"]) / 2)
    np.testing.assert_allclose(joined["swap_in"], (parts[0]["swap_in"] + parts[1]["swap_in"]) / 2)
    np.testing.assert_array_equal(
        np.stack(joined["rating_seeds"].to_list()), np.stack([part["rating"] for part in parts], axis=1)
    )
    np.testing.assert_allclose(joined["rating_batches"].map(np.mean), joined["rating"])


def test_the_first_supernet_is_the_one_of_a_single_seed(search, target, targets, tmp_path):
    first, second = (load_supernet(search, one).state_dict() for one in target.seeds)
    alone = targets()[CELL].model_copy(update={"folder": tmp_path / "alone", "table": tmp_path / "a.parquet"})
    spec = BlockSpec(name="block_1/2x16/0", folder=tmp_path / "unit", inputs=search, target=alone, rate=True)
    list(run_unit(spec))
    of_one = load_supernet(search, alone).state_dict()
    assert all((of_one[name] == first[name]).all() for name in first)
    assert any((first[name] != second[name]).any() for name in first)
    table, own = rating_table.read(alone.table), rating_table.read(target.seeds[0].own_table)
    assert table["rating"].tolist() == own["rating"].tolist()
    assert table["rating_seeds"].isna().all()


def test_what_fails_with_one_seed_fails(target, tmp_path):
    parts = [rating_table.read(one.own_table) for one in target.seeds]
    assert mean_over_seeds(parts[:1]) is parts[0]
    failed = parts[1].copy()
    failed.loc[0, ["rating", "swap_in"]] = np.nan
    failed.loc[0, "failure"] = "it burst"
    failed.at[0, "rating_batches"], failed.at[0, "swap_in_batches"] = [], None
    failed.loc[1, "swap_in"] = np.nan
    failed.at[1, "swap_in_batches"] = None
    joined = mean_over_seeds([parts[0], failed])
    rating_table.write(joined, tmp_path / "table.parquet")
    assert joined["failure"][0] == "it burst"
    assert np.isnan(joined["rating"][0])
    assert np.isnan(joined["swap_in"][1])
    assert joined["rating"][1:].notna().all()
