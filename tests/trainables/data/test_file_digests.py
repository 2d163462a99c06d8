import hashlib
import os

import pytest

from nasray.errors import UserError
from nasray.trainables.data import file_digests
from nasray.trainables.data.file_digests import FileDigests

LONG_AGO_NS = 10**18


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with three files that have not been touched for long, as the disk's clock tells; and those read."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # Nothing can set a file's change time back, so that "long ago" must be now.
    monkeypatch.setattr(file_digests, "_SECONDS_TO_SETTLE", -60.0)
    folder = tmp_path / "files"
    folder.mkdir()
    for name in "abc":
        (folder / name).write_text(name)
        os.utime(folder / name, ns=(LONG_AGO_NS, LONG_AGO_NS))
    read, digest = [], file_digests._digest
    monkeypatch.setattr(file_digests, "_digest", lambda path: read.append(path.name) or digest(path))
    return folder, read


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_files_are_read_once(files):
    folder, read = files
    assert FileDigests(folder).of(["a", "c", "b"]) == [sha("a"), sha("c"), sha("b")]
    assert sorted(read) == ["a", "b", "c"]
    assert FileDigests(folder).of(["b", "a"]) == [sha("b"), sha("a")]
    assert len(read) == 3


def test_a_file_is_read_again_though_size_and_time_of_its_content_are_as_before(files):
    folder, read = files
    FileDigests(folder).of(["a", "b", "c"])
    (folder / "b").write_text("x")
    os.utime(folder / "b", ns=(LONG_AGO_NS, LONG_AGO_NS))
    assert FileDigests(folder).of(["a", "b", "c"]) == [sha("a"), sha("x"), sha("c")]
    assert read[3:] == ["b"]


def test_a_file_that_changed_just_before_it_was_read_is_not_believed(files, monkeypatch):
    folder, read = files
    monkeypatch.setattr(file_digests, "_SECONDS_TO_SETTLE", 2.0)
    FileDigests(folder).of(["a"])
    FileDigests(folder).of(["a"])
    assert read == ["a", "a"]


def test_what_was_kept_and_is_damaged_is_not_believed(files, tmp_path):
    folder, read = files
    FileDigests(folder).of(["a"])
    (kept,) = (tmp_path / "cache").rglob("*.parquet")
    kept.write_bytes(kept.read_bytes()[:40])
    assert FileDigests(folder).of(["a"]) == [sha("a")]
    assert read == ["a", "a"]


def test_without_a_place_to_keep_them_files_are_read(files, tmp_path, monkeypatch):
    folder, _ = files
    (tmp_path / "no_folder").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no_folder"))
    assert FileDigests(folder).of(["a"]) == [sha("a")]


def test_damaged_files_are_listed_and_those_that_are_whole_are_kept(files):
    folder, read = files

    def check(path):
        return "cut off" if path.name != "b" else None

    with pytest.raises(UserError, match=r"is damaged in 2 of 3: a: cut off; c: cut off: replace or remove"):
        FileDigests(folder, check).of(["a", "b", "c"])
    with pytest.raises(UserError, match="is damaged in 1 of 2: a: cut off"):
        FileDigests(folder, check).of(["a", "b"])
    assert sorted(read) == ["a", "a", "b", "c"]
