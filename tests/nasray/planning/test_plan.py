import pytest

from nasray.inputs.shared import unit_inputs
from nasray.planning.plan import plan_search
from nasray.run.folder import RunFolder
from nasray.scheduling.unit import still_to_do
from nasray.settings.loading import load_config
from nasray.trainables.units import run_unit


@pytest.fixture
def plan(tiny):
    def build(overrides=(), **changes):
        config = load_config(tiny(**changes), ["features.mode=[cached, cached]", *overrides])
        folder = RunFolder.of(config)
        return plan_search(config, folder, unit_inputs(config, folder))

    return build


def flat(plan):
    return [unit for stage in plan.values() for unit in stage]


def test_every_unit_needs_units_that_come_before_it(plan):
    seen = set()
    for unit in flat(plan()):
        assert set(unit.needs) <= seen
        seen.add(unit.name)
    assert len(seen) == len(flat(plan()))


def test_each_cell_of_each_block_is_a_unit(plan):
    names = [unit.name for unit in plan()["ratings"]]
    assert names == ["block_0/2x8", "block_0/1x12", "block_1/2x16"]


def test_rows_are_cut_into_shards(plan):
    names = [unit.name for unit in plan()["features"]]
    assert names == [
        "features/train/0",
        "features/train/1",
        "features/train/2",
        "features/train",
        "features/held_out/0",
        "features/held_out",
    ]


def test_online_blocks_need_no_features(plan):
    units = plan(["features.mode=[online, online]"])
    assert units["features"] == []
    assert all(unit.needs == ("teacher",) for unit in units["ratings"])


def test_a_cell_whose_features_are_not_cached_costs_the_teachers_part_as_well(plan):
    cached, online = (
        {unit.name: unit.cost for unit in plan([f"features.mode=[{mode}, {mode}]"])["ratings"]}
        for mode in ("cached", "online")
    )
    added = [online[name] - cached[name] for name in ("block_0/2x8", "block_0/1x12", "block_1/2x16")]
    assert 0 < added[0] == added[1] < added[2]


def test_a_large_cell_is_rated_by_first_layer_subtree(plan):
    units = plan(["searches.0.rating.max_candidates_per_unit=10"])["ratings"]
    parts = [unit for unit in units if unit.name.startswith("block_1/2x16/rating/")]
    assert len(parts) == 2 * 3  # entry widths times operations of the first layer
    (table,) = [unit for unit in units if unit.name == "block_1/2x16/rating"]
    assert set(table.needs) == {unit.name for unit in parts}


def test_deeper_cells_cost_more(plan):
    costs = {unit.name: unit.cost for unit in plan()["ratings"]}
    assert costs["block_0/2x8"] > 0
    longer = {unit.name: unit.cost for unit in plan(["searches.0.epochs=30"])["ratings"]}
    assert all(longer[name] > cost for name, cost in costs.items())


def test_each_method_has_its_stages(plan, tiny):
    assert list(plan()) == ["teacher", "features", "ratings"]
    both = plan(searches=[*tiny()["searches"], {"method": "sd_darts"}])
    assert list(both) == ["teacher", "features", "ratings", "sd_darts"]
    assert [(unit.name, unit.needs) for unit in both["sd_darts"]] == [("sd_darts", ())]
    assert list(plan(searches=[{"method": "sd_darts"}], teacher=None)) == ["sd_darts"]


def test_only_what_the_targets_lack_is_to_do(plan):
    units = flat(plan())
    teacher = units[0]
    to_run, done = still_to_do(units, [teacher])
    assert [unit.name for unit in to_run] == ["teacher"]
    list(run_unit(teacher.spec))
    to_run, done = still_to_do(units, units)
    assert "teacher" in done
    assert len(to_run) == len(units) - 1
    features = [unit for unit in units if unit.name.startswith("features")]
    for unit in features:
        list(run_unit(unit.spec))
    to_run, done = still_to_do(units, units)
    assert [unit.name for unit in to_run] == ["block_0/2x8", "block_0/1x12", "block_1/2x16"]


def test_results_that_nobody_needs_any_more_are_not_made_again(plan, tmp_path):
    units = flat(plan())
    for unit in units:
        list(run_unit(unit.spec))
    (tmp_path / "runs" / "tiny" / "teacher" / "weights.safetensors").unlink()
    to_run, _ = still_to_do(units, [unit for unit in units if unit.name.startswith("block")])
    assert to_run == []


def test_further_supernets_of_a_cell_are_units_of_their_own_that_are_joined(plan):
    units = {unit.name: unit for unit in plan(["searches.0.num_seeds=2"])["ratings"]}
    assert len(units) == 3 * 3
    joined = units["block_1/2x16/rating/seeds"]
    assert joined.needs == ("block_1/2x16", "block_1/2x16/seed_1")
    folders = {spec.target.folder for spec in (units[name].spec for name in joined.needs)}
    tables = {path for name in joined.needs for path in units[name].spec.outputs}
    assert (len(folders), len(tables)) == (2, 4)
    assert joined.spec.outputs[0] not in tables


def test_parts_of_the_rating_of_further_supernets_are_joined_first(plan):
    overrides = ["searches.0.num_seeds=2", "searches.0.rating.max_candidates_per_unit=10"]
    units = {unit.name: unit for unit in plan(overrides)["ratings"]}
    assert {"block_1/2x16/rating", "block_1/2x16/seed_1/rating"} < set(
        units["block_1/2x16/rating/seeds"].needs
    )
    assert "block_1/2x16/seed_1/rating/5" in units["block_1/2x16/seed_1/rating"].needs


def test_no_more_batches_are_rated_than_there_are(plan):
    with pytest.raises(ValueError, match="rated_batches must be at most num_batches, 4, got 5"):
        plan(["searches.0.rating.rated_batches=5"])
    with pytest.raises(ValueError, match="rated_batches"):
        plan(["searches.0.rating.rated_batches=1"])
