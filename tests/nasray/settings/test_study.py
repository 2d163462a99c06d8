import pytest
from pydantic import ValidationError

from nasray.settings.study import StudyConfig, merged


def test_changes_reach_into_groups_and_replace_all_else():
    settings = {"lr": 0.1, "betas": [0.5, 0.9], "teachers": {"weight": 1.0, "deep": {"a": 1, "b": 2}}}
    changes = {"betas": [0.1], "teachers": {"deep": {"b": 3}}}
    assert merged(settings, changes) == {
        "lr": 0.1,
        "betas": [0.1],
        "teachers": {"weight": 1.0, "deep": {"a": 1, "b": 3}},
    }
    assert settings["teachers"]["deep"] == {"a": 1, "b": 2}
    assert merged(settings, {}) == settings


def test_groups_come_and_go():
    assert merged({"teachers": {"weight": 1}}, {"teachers": None}) == {"teachers": None}
    assert merged({"teachers": None}, {"teachers": {"weight": 1}}) == {"teachers": {"weight": 1}}
    assert merged({}, {"unknown": 1}) == {"unknown": 1}


def test_names_of_arms_and_spaces_name_folders():
    study = StudyConfig(
        seeds=(0, 3), arms={"k_3": {}, "ema-2": {"lr": 0.1}}, spaces={"S1": {"source": "digits"}}
    )
    assert list(study.arms) == ["k_3", "ema-2"]
    assert study.spaces["S1"].source == "digits"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seeds": ()}, "at least 1 item"),
        ({"seeds": (0, 1, 0)}, "must differ, got 0, 1, 0"),
        ({"arms": {}}, "at least 1 item"),
        ({"arms": {"..": {}}}, "names must be made of letters"),
        ({"arms": {"": {}}}, "names must be made of letters"),
        ({"arms": {"a/b": {}}}, "got 'a/b'"),
        ({"spaces": {"a b": {"source": "digits"}}}, "got 'a b'"),
    ],
)
def test_what_is_no_study_is_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        StudyConfig.model_validate({"seeds": (0,), "arms": {"plain": {}}} | settings)
