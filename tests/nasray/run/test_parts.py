import pytest

from nasray.analysis.runs.run import Run
from nasray.run.parts import leave_parts, refuse_several
from nasray.search_spaces.artefacts.run_files import RunFiles


def test_a_run_of_one_search_has_no_parts(tmp_path):
    refuse_several(tmp_path)
    assert Run(tmp_path).parts == []


def test_parts_are_told_in_their_order_as_far_as_they_are_there(tmp_path):
    leave_parts(RunFiles(tmp_path), ["b_seed_0", "a_seed_0", "c_seed_0"])
    for name in ("a_seed_0", "b_seed_0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text("name: part")
    assert [part.path.name for part in Run(tmp_path).parts] == ["b_seed_0", "a_seed_0"]


def test_a_run_of_several_searches_is_none_of_one(tmp_path):
    leave_parts(RunFiles(tmp_path), ["b_seed_0", "a_seed_0"])
    with pytest.raises(
        ValueError, match=rf"RUN must be one search, but {tmp_path} holds 2 .* {tmp_path}/b_seed_0"
    ):
        refuse_several(tmp_path)


def test_a_damaged_list_of_parts_is_told(tmp_path):
    RunFiles(tmp_path).parts.write_text("{")
    with pytest.raises(ValueError, match=r"parts\.json"):
        refuse_several(tmp_path)
