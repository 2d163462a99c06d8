import os
import shutil
import subprocess

import pytest

from nasray.storage.removals import removals_below


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "seen" / "run" / "parts").mkdir(parents=True)
    for name in ("run/a", "run/b", "run/parts/1", "run/parts/2"):
        (tmp_path / "seen" / name).touch()
    return tmp_path / "seen"


def test_what_this_process_removes_is_noted(folder):
    removed = removals_below(folder)
    (folder / "run" / "a").unlink()
    os.remove(folder / "run" / "b")  # noqa: PTH107
    shutil.rmtree(folder / "run" / "parts")
    assert removed == {"run/a", "run/b", "run/parts/1", "run/parts/2"}
    assert removals_below(folder) is removed


def test_what_other_processes_remove_is_not(folder):
    removed = removals_below(folder)
    subprocess.run(["rm", "-r", folder / "run"], check=True)
    assert not removed


def test_what_is_renamed_is_not_removed(folder):
    removed = removals_below(folder)
    (folder / "run" / "a").rename(folder / "run" / "c")
    (folder / "run" / "c").replace(folder / "run" / "b")
    assert not removed


def test_hidden_files_and_those_elsewhere_do_not_count(folder, tmp_path):
    removed = removals_below(folder)
    for path in (folder / "run" / ".a.x1", tmp_path / "seen_not"):
        path.touch()
        path.unlink()
    (tmp_path / "another").mkdir()
    shutil.rmtree(tmp_path / "another")
    assert not removed
