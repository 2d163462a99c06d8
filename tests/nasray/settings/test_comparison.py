import pytest
from pydantic import ValidationError

from nasray.settings.comparison import ComparisonConfig, arm_settings
from nasray.settings.loading import dump_config, load_config

ARMS = {"taught": {}, "plain": {"searches.1.self_distillation": None}}


@pytest.fixture
def compared(tiny):
    """The smallest search with SD-DARTS beside it, compared with changes of itself."""

    def build(**changes):
        searches = [*tiny()["searches"], {"method": "sd_darts", "epochs": 5}]
        return tiny(searches=searches, comparison={"seeds": [0, 3], "arms": ARMS} | changes)

    return build


def test_names_of_arms_and_spaces_name_folders():
    comparison = ComparisonConfig(
        seeds=(0, 3), arms={"k_3": {}, "ema-2": {"seed": 1}}, spaces={"S1": {"source": "digits"}}
    )
    assert list(comparison.arms) == ["k_3", "ema-2"]
    assert comparison.spaces["S1"].source == "digits"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seeds": ()}, "at least 1 item"),
        ({"seeds": (0, 1, 0)}, "must differ, got 0, 1, 0"),
        ({"seeds": (-1,)}, "greater than or equal to 0"),
        ({"arms": {}}, "at least 1 item"),
        ({"arms": {"..": {}}}, "names must be made of letters"),
        ({"arms": {"": {}}}, "names must be made of letters"),
        ({"arms": {"a/b": {}}}, "got 'a/b'"),
        ({"spaces": {"a b": {"source": "digits"}}}, "got 'a b'"),
        ({"judge": {"training_seeds": (1, 1)}}, "must differ, got 1, 1"),
        ({"judge": {"training_seeds": ()}}, "at least 1 item"),
        ({"judge": {"sample": -1}}, "greater than or equal to 0"),
    ],
)
def test_what_is_no_comparison_is_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        ComparisonConfig.model_validate({"seeds": (0,), "arms": {"plain": {}}} | settings)


def test_changes_reach_into_groups_and_replace_all_else():
    whole = {
        "seed": 0,
        "search_space": {"source": "digits"},
        "searches": [{"lr": 0.1, "betas": [0.5, 0.9], "teachers": {"weight": 1.0, "deep": {"a": 1, "b": 2}}}],
        "features": None,
    }
    arm = {"searches.0.betas": [0.1], "searches.0.teachers.deep.b": 3, "features.views": 2, "budgets": {}}
    comparison = {"seeds": [7], "arms": {"own": arm, "none": {}}, "spaces": {"cells": {"source": "darts"}}}
    own = arm_settings(whole | {"comparison": comparison}, "own", space="cells", seed=7)
    assert own == {
        "seed": 7,
        "search_space": {"source": "darts"},
        "searches": [{"lr": 0.1, "betas": [0.1], "teachers": {"weight": 1.0, "deep": {"a": 1, "b": 3}}}],
        "features": {"views": 2},
        "budgets": {},
        "comparison": None,
    }
    assert arm_settings(whole | {"comparison": comparison}, "none") == whole | {"comparison": None}
    assert whole["searches"][0]["betas"] == [0.5, 0.9]


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"searches.1.epohcs": 3}, r"taught: searches\.1\.epohcs: unknown key; did you mean epochs\?"),
        ({"epochs": 3}, r"taught: epochs: unknown key"),
        ({"searches.1.epochs": 0}, r"taught: searches\.1\.epochs: .*equal to 1, got 0"),
        ({"searches.1.epochs": "3"}, r"taught: searches\.1\.epochs: .*valid integer, got '3'"),
        (
            {"searches.1.self_distillation": {"temperature": -1}},
            r"taught: searches\.1\.self_distillation\.temperature: .*greater than 0, got -1",
        ),
        (
            {"searches.1.self_distillation": {"mode": "cache", "teacher": "ema"}},
            r"taught: searches\.1\.self_distillation: .*teacher must be snapshots, got ema; or set mode: forward$",
        ),
        ({"searches.2.lr": 0.1}, r"taught: searches\.2\.lr must name a position from 0 to 1 in the list"),
        ({"searches": []}, r"taught: searches must list at least one search, got none"),
        ({"teacher": None}, r"taught: teacher must be given for a search of the method dna, got none"),
        (5, r"comparison\.arms\.taught: must be an object, got 5"),
    ],
)
def test_mistakes_of_an_arm_are_named_with_their_place(compared, arm, message):
    with pytest.raises(ValueError, match=message):
        load_config(compared(arms=ARMS | {"taught": arm}))


def test_mistakes_of_all_arms_are_told_at_once(compared):
    arms = {"one": {"searches.0.epochs": 0, "searches.1.epochs": 0}, "two": {"searches.7.lr": 1}}
    with pytest.raises(ValueError, match="the config has mistakes") as raised:
        load_config(compared(arms=arms))
    told = [line.split(": ")[0].strip() for line in str(raised.value).splitlines()[1:]]
    assert told == ["comparison.arms.one", "comparison.arms.one", "comparison.arms.two"]


@pytest.mark.parametrize(
    ("key", "kept"),
    [
        ("name", "name"),
        ("seed", "seed"),
        ("comparison", "comparison"),
        ("comparison.seeds", "comparison"),
        ("storage.root", "storage"),
        ("data.source", "data.source"),
        ("data.root", "data.root"),
        ("search_space.channels", "search_space"),
        ("sweep", "sweep"),
    ],
)
def test_no_arm_changes_what_the_comparison_decides_for_all(compared, key, kept):
    message = rf"comparison\.arms\.other must not set {key}: {kept} is the same for all arms"
    with pytest.raises(ValueError, match=message):
        load_config(compared(arms={"other": {key: None}}))


def test_arms_may_differ_in_their_images(compared):
    config = load_config(compared(arms={"few": {"data.num_train_images": 128}}))
    assert arm_settings(config.model_dump(mode="json"), "few")["data"]["num_train_images"] == 128


def test_a_sweep_stands_alone(compared):
    sweep = {
        "unit": "teacher",
        "objectives": {"held_out_accuracy": "max"},
        "domains": {"seed": {"choices": [0, 1]}},
    }
    with pytest.raises(ValueError, match="comparison must stand without sweep"):
        load_config(compared() | {"sweep": sweep})


def test_arms_may_bring_their_own_searches(compared):
    config = load_config(compared(arms={"own": {"searches": [{"method": "sd_darts"}]}}) | {"searches": []})
    assert (config.searches, config.ranks) == ((), False)


def test_a_comparison_loads_as_it_was_dumped_and_may_grow(compared, tmp_path):
    config = load_config(compared())
    path = tmp_path / "config.yaml"
    path.write_text(dump_config(config))
    assert load_config(path) == config
    assert list(load_config(path).comparison.arms) == list(ARMS), (
        "the first is the one that others are compared with"
    )
    more = load_config(
        compared(seeds=[0, 3, 4], arms=ARMS | {"longer": {"searches.1.epochs": 9}}, judge=None)
    )
    assert config.differences(more) == []
    other = load_config(compared() | {"seed": 1})
    assert config.differences(other) == ["seed: 0 -> 1"]
