import pytest

from nasray.methods.dna_plus.generation import generation_config
from nasray.methods.dna_plus.view import describe_next
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config
from nasray.trainables.settings.block_distillation import BlockDistillationConfig

PARENT = "1x12:mb3k3/2x16:sep3,mb3k3"


def test_a_generation_is_a_dna_search_in_a_folder_of_its_own(plus, tmp_path):
    config = load_config(plus(epochs=7))
    first = generation_config(config, 1)
    assert RunFolder.of(first).path == tmp_path / "runs" / "plus" / "generation_1"
    (search,) = first.searches
    assert (type(search), search.method, search.epochs) == (BlockDistillationConfig, "dna", 7)
    assert first.teacher == config.teacher
    assert first.retrain == config.retrain
    assert first.seed == config.seed
    assert first.tracking.tags == {"search": "plus", "generation": "1"}
    assert first.tracking.uri == f"sqlite:///{tmp_path}/runs/mlflow.db"


def test_what_was_found_teaches_the_next(plus):
    config = load_config(plus(teacher_train={"epochs": 5}))
    second = generation_config(config, 2, PARENT)
    assert (second.teacher.source, second.teacher.architecture) == ("architecture", PARENT)
    assert second.teacher.scaling == config.searches[0].scaling
    assert second.teacher.train.epochs == 5
    ordinary = generation_config(load_config(plus()), 2, PARENT)
    assert ordinary.teacher.train == config.teacher.train


def test_a_servers_address_is_not_kept(plus, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@server")
    assert generation_config(load_config(plus()), 1).tracking.uri is None


def test_a_store_has_a_place_below_for_each(plus, tmp_path):
    config = load_config(
        plus() | {"storage": {"root": f"file://{tmp_path}/bucket", "staging": f"{tmp_path}/here"}}
    )
    own = generation_config(config, 1).storage
    assert own.root == f"file://{tmp_path}/bucket/plus"
    assert own.folder == tmp_path / "here" / "plus"


def test_how_far_generations_go_is_no_part_of_their_results(plus):
    config = load_config(plus())
    assert not config.differences(load_config(plus(generations=5, margin=0.1)))
    assert config.differences(load_config(plus(scaling={}))) == ["searches.0.scaling.power: 2.0 -> 1.0"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"retrain": None}, "retrain must train the best architecture with distillation"),
        ({"retrain": {"top": 0, "distillation": {}}}, "retrain must train the best"),
        ({"retrain": {}}, "retrain must train the best"),
        ({"budgets": {"latency_ms": 3}}, "budgets.latency_ms must be left out"),
        (
            {"teacher": {"source": "largest"}},
            "teacher_train of a search of the method dna_plus must be given",
        ),
        ({"teacher": None}, "teacher must be given"),
    ],
)
def test_what_does_not_fit_is_refused(plus, changes, message):
    with pytest.raises(ValueError, match=message):
        load_config(plus() | changes)


def test_it_is_the_only_search(plus):
    config = plus()
    config["searches"].append({"method": "sd_darts"})
    with pytest.raises(ValueError, match="dna_plus must be the only search"):
        load_config(config)


def test_what_follows_is_told(plus):
    assert "One more generation follows" in describe_next(load_config(plus()).searches[0])
    three = describe_next(load_config(plus(generations=3, margin=0.01)).searches[0])
    assert "Up to 2 more generations follow" in three
    assert "1.21 times as wide, 1.44 times as deep, for images 1.322 times as large" in three
    assert "less than 0.01" in three
    assert describe_next(load_config(plus(generations=1)).searches[0]) == "This is the only generation."
