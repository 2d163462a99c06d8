import pytest

from nasray.settings.loading import dump_config, find_config, load_config, shipped_configs
from nasray.trainables.settings.block_distillation import BlockDistillationConfig
from nasray.trainables.settings.sd_darts import SdDartsConfig

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
    assert config.searches[0].epochs == 7
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
        ("budgets.num_params=.nan", r"budgets\.num_params: must be a finite number, got nan"),
        ("budgets.num_params=1e999", r"budgets\.num_params: must be a finite number, got inf"),
        ("budgets.num_params=-1", r"budgets\.num_params: must be greater than or equal to 0, got -1"),
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
        ("tracking.uri=postgresql://me:hidden@host/db", r"tracking\.uri: must hold no password or token"),
        (
            "tracking.uri=postgresql://me@host/db?password=hidden",
            r"tracking\.uri: must hold no password.*as password",
        ),
        ("tracking.uri=https://hidden@host", r"tracking\.uri: must hold no password or token"),
        ("tracking.uri=https://host/mlflow?api_key=hidden", r"tracking\.uri: must be a server's address"),
        ("name=features", r"name: must be none of features, mlflow\.db, .* beside the runs, got features"),
        (
            "storage.root=abfs://runs@account/nas?tenant_id=a&client_id=b&client_secret=hidden",
            r"storage\.root: must have no options but .* got tenant_id, client_secret: set",
        ),
    ],
)
def test_each_mistake_is_named_with_what_is_right(override, message):
    plain = {**MINIMAL, "seed": 0}
    with pytest.raises(ValueError, match=message) as raised:
        load_config(plain, [override])
    assert "hidden" not in str(raised.value)


def test_the_environments_storage_is_held_to_the_same(monkeypatch):
    monkeypatch.setenv("NASRAY_STORAGE", "s3://key:hidden@bucket/runs")
    with pytest.raises(ValueError, match="root: must hold no keys or passwords") as raised:
        load_config(MINIMAL)
    assert "hidden" not in str(raised.value)


def test_a_database_may_be_named_with_its_user():
    uri = "postgresql://me@host/db"
    assert load_config(MINIMAL, [f"tracking.uri={uri}"]).tracking.uri == uri


BOTH = {**MINIMAL, "searches": [{"method": "dna", "epochs": 4}, {"method": "sd_darts", "epochs": 4}]}
METHODS = r"dna, dna_plus, dna_plus_plus, sd_darts, or module:attribute of a method of your own"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "searches.1.epohcs=3",
            r"searches\.1\.epohcs: unknown key; did you mean epochs\? allowed .*alpha_lr",
        ),
        (
            "searches.0.epohcs=3",
            r"searches\.0\.epohcs: unknown key; did you mean epochs\? allowed are .*paths",
        ),
        ("searches.1.paths=fair", r"searches\.1\.paths: unknown key; .*allowed are allow_none"),
        ("searches.1.epochs=0", r"searches\.1\.epochs: .*greater than or equal to 1, got 0"),
        ("searches.0.rating.num_baches=3", r"searches\.0\.rating\.num_baches: .*did you mean num_batches\?"),
        ("searches.0.rating.num_batches=x", r"searches\.0\.rating\.num_batches: .*valid integer, got 'x'"),
        (
            "searches.1.self_distillation.wieght=1",
            r"searches\.1\.self_distillation\.wieght: .*did you mean weight\? allowed are .*num_snapshots",
        ),
        ("searches.1.measure.every_epoch=2", r"searches\.1\.measure\.every_epoch: .*mean every_epochs\?"),
        (
            "searches.1.order=both",
            r"searches\.1\.order: must be 'alpha_first' or 'weights_first', got 'both'",
        ),
        ("searches.1.lr=1e-4", r"searches\.1: lr_min must be at most lr, 0\.0001, got 0\.001$"),
        (
            "searches.1.self_distillation={mode: cache, unit: step}",
            r"searches\.1\.self_distillation: mode: cache keeps .* unit must be epoch, got step",
        ),
        (
            "searches.0.method=darts",
            rf"searches\.0\.method: must be one of {METHODS}, got 'darts'; .*'sd_darts'",
        ),
        ("searches.0={epochs: 2}", rf"searches\.0\.method: must be one of {METHODS}, got none"),
        ("searches.0.method=5", rf"searches\.0\.method: must be one of {METHODS}, got 5"),
        ("searches.0=5", r"searches\.0: must be a group of keys, got 5"),
        ("searches.0.method=sd_darts", r"searches: each method may stand once, got sd_darts, sd_darts"),
        (
            "searches.1={method: dna_plus_plus}",
            r"searches: only one search may rate all candidates, got dna and dna_plus_plus",
        ),
        (
            "searches.0={method: dna_plus}",
            r"searches: dna_plus must be the only search, since it runs whole ones",
        ),
        ("searches=[]", r"searches must list at least one search"),
        ("teacher=null", r"  teacher must be given for a search of the method dna, got none"),
    ],
)
def test_mistakes_in_searches_are_named_as_they_are_written(override, message):
    with pytest.raises(ValueError, match=message) as error:
        load_config(BOTH, [override])
    assert "Value error" not in str(error.value)


def test_each_search_has_the_settings_of_its_method():
    dna, sd_darts = load_config(BOTH).searches
    assert (dna.method, type(dna)) == ("dna", BlockDistillationConfig)
    assert (sd_darts.method, type(sd_darts)) == ("sd_darts", SdDartsConfig)
    alone = load_config({**MINIMAL, "searches": [{"method": "sd_darts"}], "teacher": None})
    assert (alone.ranks, alone.needs_teacher, alone.searches[0].epochs) == (False, False, 50)


def test_budgets_need_a_ranking():
    alone = {**MINIMAL, "searches": [{"method": "sd_darts"}], "teacher": None}
    with pytest.raises(
        ValueError, match="budgets must go with a search that rates all candidates, such as dna"
    ):
        load_config(alone, ["budgets.num_params=1e6"])


def test_a_date_is_a_text():
    assert load_config(MINIMAL, ["name=2026-11-22"]).name == "2026-11-22"


def test_a_missing_key_is_named():
    with pytest.raises(ValueError, match="data: must be given"):
        load_config({key: value for key, value in MINIMAL.items() if key != "data"})


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ValueError, match=r"(?s)seed: .*searches\.0\.epochs: "):
        load_config(MINIMAL, ["seed=-1", "searches.0.epochs=-1"])


def test_all_that_does_not_fit_together_is_told_at_once():
    """What concerns several sections: the teacher, the rating, the evidence and the processes."""
    wrong = ["teacher=null", "ranking={top: 3, by: swap_in}", "searches.0.rating.swap_in_images=0"]
    wrong += ["retrain={top: 4, distillation: {multi_step: true}}", "resources.gpus_per_unit=4"]
    with pytest.raises(ValueError, match="the config has mistakes") as raised:
        load_config(MINIMAL, wrong)
    told = [line.strip().split(" ")[0] for line in str(raised.value).splitlines()[1:]]
    assert told == [
        "resources.gpus_per_unit",
        "teacher",
        "ranking.by:",
        "retrain.top",
        "retrain.distillation.multi_step",
    ]


def test_a_file_that_is_not_a_config_is_told(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("name: [")
    with pytest.raises(ValueError, match="must be plain YAML"):
        load_config(path)
    path.write_text("- a\n- b")
    with pytest.raises(ValueError, match="must hold keys and values, got list"):
        load_config(path)


def test_yaml_cannot_run_code(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(f"name: !!python/object/apply:pathlib.Path.touch [{tmp_path / 'touched'}]")
    with pytest.raises(ValueError, match="must be plain YAML"):
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


def test_an_override_below_what_was_switched_off_makes_the_section():
    config = load_config(
        "digits", ["retrain=null", "retrain.train.epochs=20", "data.augment.horizontal_flip=true"]
    )
    assert config.retrain.train.epochs == 20
    assert config.data.augment.horizontal_flip


def test_a_misspelt_config_gets_a_suggestion():
    with pytest.raises(ValueError, match="got digit; did you mean 'digits'"):
        load_config("digit")
