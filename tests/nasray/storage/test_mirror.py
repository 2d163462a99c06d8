import os
import pickle
import shutil
import subprocess

import pytest

from nasray.search_spaces.files.damage import set_aside
from nasray.storage.mirror import Mirror
from nasray.storage.store import Store


@pytest.fixture
def url(tmp_path):
    return f"file://{tmp_path}/bucket"


@pytest.fixture
def store(url):
    return Store(url)


@pytest.fixture
def here(tmp_path, url):
    return Mirror.create(url, tmp_path / "here")


@pytest.fixture
def there(tmp_path, url):
    """The same store on another node."""
    return Mirror.create(url, tmp_path / "there")


def leave(folder, content, *, mirror):
    path = mirror.folder / folder
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_what_one_pushes_another_pulls(here, there):
    leave("run/units/a/weights", "w", mirror=here)
    leave("run/units/a/done.json", "{}", mirror=here)
    here.push(here.folder / "run")
    there.pull(there.folder / "run")
    assert (there.folder / "run/units/a/weights").read_text() == "w"
    assert (there.folder / "run/units/a/done.json").read_text() == "{}"


def test_what_is_the_same_is_not_brought_again(here, there, tmp_path):
    path = leave("run/weights", "w", mirror=here)
    here.push(path)
    there.pull(there.folder / "run")
    copies = [tmp_path / "bucket/run/weights", there.folder / "run/weights"]
    before = [copy.stat().st_ino for copy in copies]
    here.push(path)
    there.pull(there.folder / "run")
    assert [copy.stat().st_ino for copy in copies] == before


def test_what_changed_is_brought_again_though_it_is_as_long(here, there, tmp_path):
    path = leave("run/last.pt", "old", mirror=here)
    here.push(path)
    there.pull(there.folder / "run")
    path.write_text("new")
    here.push(path)
    os.utime(tmp_path / "bucket/run/last.pt", (2e9, 2e9))  # written in a later second
    there.pull(there.folder / "run")
    assert (there.folder / "run/last.pt").read_text() == "new"


def test_what_is_removed_here_goes_at_the_other_places(here, there, store):
    path, folder = leave("run/last.pt", "x", mirror=here), leave("run/parts/1.pt", "x", mirror=here).parent
    kept = leave("run/kept", "x", mirror=here)
    here.push(here.folder / "run")
    there.pull(there.folder / "run")
    path.unlink()
    shutil.rmtree(folder)
    here.push(here.folder / "run")
    assert store.entries("run").keys() == {"run/kept"}
    there.pull(there.folder / "run")
    assert [file.name for file in (there.folder / "run").rglob("*") if file.is_file()] == [kept.name]


def test_what_others_removed_here_stays_in_the_store(here, store):
    """Such as a cleaner of caches, which is a process of its own."""
    path = leave("run/weights", "w", mirror=here)
    leave("run/done.json", "{}", mirror=here)
    here.push(here.folder / "run")
    subprocess.run(["rm", path], check=True)
    here.push(here.folder / "run")
    assert store.entries("run").keys() == {"run/weights", "run/done.json"}
    here.pull(here.folder / "run")
    assert path.read_text() == "w"
    subprocess.run(["rm", "-r", here.folder / "run"], check=True)
    here.push(here.folder / "run")
    assert store.entries("run").keys() == {"run/weights", "run/done.json"}


def test_what_was_removed_and_came_back_is_no_longer_to_go(here, store):
    path = leave("run/table", "1", mirror=here)
    here.push(path)
    path.unlink()
    leave("run/table", "2", mirror=here)
    here.push(path)
    subprocess.run(["rm", path], check=True)
    here.push(path)
    assert store.read("run/table") == b"2"
    here.pull(path)
    shutil.rmtree(path.parent)
    here.pull(path)
    assert path.read_text() == "2"
    subprocess.run(["rm", path], check=True)
    here.push(path)
    assert store.read("run/table") == b"2"


def test_a_pull_removes_nothing_from_the_store(here, there, store):
    leave("run/table", "1", mirror=here)
    here.push(here.folder / "run")
    there.pull(there.folder / "run")
    store.delete("run/table")
    there.pull(there.folder / "run")
    store.write("run/table", b"2")
    there.pull(there.folder / "run")
    subprocess.run(["rm", there.folder / "run/table"], check=True)
    there.push(there.folder / "run")
    assert store.read("run/table") == b"2"


def test_what_is_damaged_here_stays_whole_in_the_store(here, store):
    path = leave("run/weights", "good", mirror=here)
    here.push(path)
    rot(path, "gooc")
    assert set_aside(path).exists()
    here.push(here.folder / "run")
    assert {name: store.read(name) for name in store.entries("run")} == {"run/weights": b"good"}


def test_a_file_is_brought_anew_though_it_looks_the_same(here):
    path = leave("run/weights", "good", mirror=here)
    here.push(path)
    rot(path, "gooc")
    here.pull(path)
    assert path.read_text() == "gooc"
    assert here.fetch(path)
    assert path.read_text() == "good"
    assert not here.fetch(here.folder / "run/none")


def rot(path, content):
    """Change a file as a disk that loses bits does: nobody wrote to it."""
    status = path.stat()
    path.write_text(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_what_was_never_seen_is_not_removed_from_the_store(here, there, store):
    leave("run/weights", "w", mirror=here)
    here.push(here.folder / "run")
    leave("run/report.html", "r", mirror=there)
    there.push(there.folder / "run")
    assert store.entries("run").keys() == {"run/weights", "run/report.html"}


@pytest.mark.parametrize(
    ("unpushed", "changed", "new"),
    [("stays", "ours", "ours"), ("yields", "theirs", "ours"), ("goes", "theirs", None)],
)
def test_what_becomes_of_what_is_not_pushed(here, store, unpushed, changed, new):
    store.write("run/changed", b"theirs")
    for name in ("changed", "new"):
        leave(f"run/{name}", "ours", mirror=here)
    here.pull(here.folder / "run", unpushed=unpushed)
    found = {file.name: file.read_text() for file in (here.folder / "run").iterdir()}
    assert found == {"changed": changed} | ({} if new is None else {"new": new})


def test_only_what_is_wanted_is_brought(here, store):
    store.write("features/1/manifest.json", b"{}")
    store.write("features/1/0.npy", b"0")
    here.pull(here.folder / "features", wanted=lambda file: file.suffix == ".json")
    assert [file.name for file in (here.folder / "features/1").iterdir()] == ["manifest.json"]


def test_halves_of_files_and_tunes_own_stay_here(here, store):
    for name in ("run/.table.x1", "run/tune/schedule/state.json", "run/sweep/tune/state.json", "run/table"):
        leave(name, "x", mirror=here)
    here.push(here.folder / "run")
    assert store.entries("run").keys() == {"run/table"}


def test_records_go_first_and_come_last(here, store, tmp_path):
    """What fails in the middle leaves no record of what is not there."""
    done, table = leave("run/done.json", "1", mirror=here), leave("run/table", "1", mirror=here)
    here.push(here.folder / "run")
    done.write_text("2")
    table.write_text("2")
    (tmp_path / "bucket/run/table").unlink()
    (tmp_path / "bucket/run/table/in_the_way").mkdir(parents=True)
    with pytest.raises(OSError, match="table"):
        here.push(here.folder / "run")
    assert store.entries("run") == {}


def test_a_folder_that_was_removed_does_not_empty_the_store(here, store):
    leave("run/table", "1", mirror=here)
    here.push(here.folder / "run")
    shutil.rmtree(here.folder)
    with pytest.raises(OSError, match="must stay while a search works in it"):
        here.push(here.folder / "run")
    assert store.entries("run").keys() == {"run/table"}


def test_a_folder_of_another_store_is_refused(here):
    with pytest.raises(ValueError, match="must be a folder of its own for each"):
        Mirror.create("file:///elsewhere", here.folder)


def test_a_disk_that_rounds_the_times_of_files_is_refused(url, tmp_path, monkeypatch):
    """There what is new would pass for pushed."""
    utime = os.utime
    monkeypatch.setattr(
        os, "utime", lambda file, ns: utime(file, ns=tuple(time // 10**9 * 10**9 for time in ns))
    )
    with pytest.raises(
        ValueError, match=r"storage\.staging .* must keep the times of files to the microsecond"
    ):
        Mirror.create(url, tmp_path / "coarse")
    assert list((tmp_path / "coarse").iterdir()) == []


def test_the_mirror_of_a_path(here, tmp_path):
    assert Mirror.of(here.folder / "run/units/a") is here
    assert Mirror.of(tmp_path / "runs/digits") is None


def test_another_process_has_its_own(here):
    assert pickle.loads(pickle.dumps(here)) is here


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_another_account_left_makes_no_mirror(here, store):
    """Else results would go to its store, and its files come here, wherever all may write above a run's folder."""
    assert Mirror.of(here.folder / "run") is not None
    os.chown(here.folder / ".store.json", 65534, 65534)
    assert Mirror.of(here.folder / "run") is None
    with pytest.raises(ValueError, match="must be a folder of this account's own"):
        Mirror.create(here.url, here.folder)
