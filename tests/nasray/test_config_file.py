import pytest

from nasray.config_file import dump_config, find_config, load_config, shipped_configs

MINIMAL = {
    "name": "tiny",
    "data": {"source": "digits"},
    "teacher": {"source": "largest", "train": {"epochs": 1}},
    "search_space": {"source": "digits"},
    "searches": [{"method": "dna", "epochs": 2}],
}


def test_every_shipped_config_loads():
    shipped = shipped_configs()
    assert {"digits", "fashion_mnist", "cifar10", "imagenet_dna"} <= shipped.keys()
    for name, path in shipped.items():
        assert load_config(path).name == name


def test_a_config_is_found_by_name_by_path_and_by_a_checkouts_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = shipped_configs()["digits"]
    assert find_config("digits") == find_config("configs/digits.yaml") == shipped
    own = tmp_path / "own.yaml"
    own.write_text("name: own")
    assert find_config(own) == own
    with pytest.raises(ValueError, match=r"shipped .*digits.*got nothing.yaml"):
        find_config("nothing.yaml")


def test_what_is_dumped_loads_to_the_same(tmp_path):
    config = load_config(MINIMAL, ["searches.0.lr=[0.1, 0.2, 0.3]", "data.augment={crop_padding: 1}"])
    path = tmp_path / "config.yaml"
    path.write_text(dump_config(config))
    assert load_config(path) == config


def test_overrides_reach_into_groups_and_lists():
    config = load_config(
        MINIMAL, ["searches.0.epochs=7", "seed=3", "budgets.num_params=5e6", "compute.num_threads=2"]
    )
    assert config.dna.epochs == 7
    assert config.seed == 3
    assert config.budgets == {"num_params": 5e6}
    assert config.compute.num_threads == 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "searches.0.epohcs=3",
            r"searches\.0\.epohcs: unknown key; did you mean epochs\? allowed are .*epochs.*lr",
        ),
        ("sede=3", r"sede: unknown key; did you mean seed\? allowed are budgets.*seed"),
        ("searches.0.epochs=0", r"searches\.0\.epochs: .*greater than or equal to 1, got 0"),
        ("searches.0.epochs=many", r"searches\.0\.epochs: .*valid integer, got 'many'"),
        ("searches.0.epochs='5'", r"searches\.0\.epochs: .*valid integer, got '5'"),
        ("searches.1.epochs=3", r"searches\.1\.epochs must name a position from 0 to 0 in the list, got '1'"),
        ("name=../out", r"name: .*pattern"),
        ("searches.0.lr=-1", r"finite and greater than 0, got -1"),
        ("searches.0.lr=.nan", r"finite and greater than 0, got nan"),
        ("name=2026-11-22x y", r"name: .*pattern"),
        ("seed", r"form a\.b=value, got 'seed'"),
        ("seed.x=1", r"seed\.x cannot be set"),
        ("data.held_out_fraction=1.5", r"data\.held_out_fraction: .*less than 1, got 1.5"),
        ("features.mode=[cached, sometimes]", r"features\.mode.*'cached' or 'online'"),
    ],
)
def test_each_mistake_is_named_with_what_is_right(override, message):
    plain = {**MINIMAL, "seed": 0}
    with pytest.raises(ValueError, match=message):
        load_config(plain, [override])


def test_a_date_is_a_text():
    assert load_config(MINIMAL, ["name=2026-11-22"]).name == "2026-11-22"


def test_a_missing_key_is_named():
    with pytest.raises(ValueError, match="teacher: must be given"):
        load_config({key: value for key, value in MINIMAL.items() if key != "teacher"})


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ValueError, match=r"(?s)seed: .*searches\.0\.epochs: "):
        load_config(MINIMAL, ["seed=-1", "searches.0.epochs=-1"])


def test_a_file_that_is_not_a_config_is_told(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("name: [")
    with pytest.raises(ValueError, match="must be YAML"):
        load_config(path)
    path.write_text("- a\n- b")
    with pytest.raises(ValueError, match="must hold keys and values, got list"):
        load_config(path)


def test_yaml_cannot_run_code(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(f"name: !!python/object/apply:pathlib.Path.touch [{tmp_path / 'touched'}]")
    with pytest.raises(ValueError, match="must be YAML"):
        load_config(path)
    assert not (tmp_path / "touched").exists()


def test_differences_are_those_that_change_results():
    config = load_config(MINIMAL)
    same = load_config(
        MINIMAL, ["resources.max_concurrent=1", "budgets.num_params=1e6", "storage.root=elsewhere"]
    )
    assert config.differences(same) == []
    other = load_config(MINIMAL, ["searches.0.epochs=3", "seed=1"])
    assert config.differences(other) == ["searches.0.epochs: 2 -> 3", "seed: 0 -> 1"]
