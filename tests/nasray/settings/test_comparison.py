import pytest

from nasray.family.member import member_config
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config


def test_a_member_is_a_search_in_a_folder_of_its_own(family_in, tmp_path):
    config = load_config(family_in(tmp_path))
    own = member_config(config, "dna", 3)
    assert RunFolder.of(own).path == tmp_path / "runs" / "family" / "dna_seed_3"
    assert own.storage.features == tmp_path / "runs" / "features"
    assert (own.seed, own.retrain, own.family) == (3, None, None)
    assert own.dna.method == "dna"
    assert own.budgets == config.budgets
    assert own.tracking.tags == {"family": "family", "member": "dna"}
    assert own.tracking.uri == f"sqlite:///{tmp_path}/runs/mlflow.db"


def test_what_ranks_nothing_has_no_budgets(family_in, tmp_path):
    assert member_config(load_config(family_in(tmp_path)), "sd_darts", 0).budgets == {}


def test_members_may_differ_in_how_they_search(family_in, tmp_path):
    plain = family_in(tmp_path)
    changes = plain["family"]["members"]["dna"] | {
        "teacher": {"train": {"epochs": 7}},
        "retrain": {"sample": 0, "distillation": {}},
    }
    plain["family"]["members"] = {"dna": changes}
    own = member_config(load_config(plain), "dna", 0)
    assert own.teacher.train.epochs == 7
    assert own.teacher.source == "largest"
    assert (own.retrain.top, own.retrain.sample, own.retrain.train.epochs) == (1, 0, 1)


def test_further_seeds_and_members_belong_to_the_same_study(family_in, tmp_path):
    plain = family_in(tmp_path)
    more = {"seeds": [0, 1], "members": {"dna": plain["family"]["members"]["dna"]}}
    assert not load_config(plain).differences(load_config(plain | {"family": more}))


SEARCHES = {"searches": [{"method": "dna"}]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"searches": [{"method": "dna"}]}, "family must stand without searches"),
        ({"retrain": None}, "retrain must train the first of each ranking and a sample"),
        ({"retrain": {"top": 5}}, "set retrain.top to 1"),
        ({"budgets": {"latency_ms": 3}}, "budgets.latency_ms must be left out"),
        ({"family": {"seeds": [0, 0], "members": {"dna": SEARCHES}}}, "family.seeds: must differ, got 0, 0"),
        ({"family": {"seeds": [0], "members": {"a/b": SEARCHES}}}, "names must be made of letters"),
        ({"family": {"seeds": [0], "members": {"dna": {}}}}, "dna must have a list searches"),
        (
            {"family": {"seeds": [0], "members": {"dna": SEARCHES | {"search_space": {}}}}},
            "may differ in .*, got search_space",
        ),
        (
            {"family": {"seeds": [0], "members": {"dna": SEARCHES | {"data": {"image_size": 8}}}}},
            "dna.data may differ in augment alone",
        ),
        (
            {"family": {"seeds": [0], "members": {"dna": {"searches": [{"method": "dna", "epochs": 0}]}}}},
            "family.members.dna: searches.0.epochs",
        ),
        ({"family": {"seeds": [0], "members": {"x": {"searches": [5]}}}}, "family.members.x: searches.0"),
    ],
)
def test_what_does_not_fit_is_refused(family_in, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        load_config(family_in(tmp_path) | changes)
