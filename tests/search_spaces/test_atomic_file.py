import json
import os
import stat

import pytest

from search_spaces.atomic_file import replacing, write_json, write_text


def test_a_file_replaces_the_old_one_as_a_whole(tmp_path):
    path = tmp_path / "new" / "text.txt"
    write_text(path, "old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "text.txt"
    write_text(path, "old")
    with pytest.raises(TypeError), replacing(path) as temporary, temporary.open("w") as file:
        file.writelines(["half of the ne", None])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_as_readable_as_the_umask_allows(tmp_path):
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "value.json", {"b": 1, "a": [2.5, None]})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "value.json").stat().st_mode) == 0o640
    assert list(json.loads((tmp_path / "value.json").read_text()).items()) == [("b", 1), ("a", [2.5, None])]
