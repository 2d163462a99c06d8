import os
import pickle
import shutil

import pytest

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


def test_what_is_gone_goes_at_the_other_places(here, there, store):
    path = leave("run/last.pt", "x", mirror=here)
    kept = leave("run/kept", "x", mirror=here)
    here.push(here.folder / "run")
    there.pull(there.folder / "run")
    path.unlink()
    here.push(here.folder / "run")
    assert store.entries("run").keys() == {"run/kept"}
    there.pull(there.folder / "run")
    assert [file.name for file in (there.folder / "run").iterdir()] == [kept.name]


def test_what_was_never_seen_is_not_removed_from_the_store(here, there, store):
    leave("run/weights", "w", mirror=here)
    here.push(here.folder / "run")
    leave("run/report.html", "r", mirror=there)
    there.push(there.folder / "run")
    assert store.entries("run").keys() == {"run/weights", "run/report.html"}


def test_what_is_not_pushed_stays_unless_the_store_is_to_be_met_exactly(here, store):
    store.write("run/table", b"theirs")
    changed = leave("run/table", "ours", mirror=here)
    new = leave("run/new", "ours", mirror=here)
    here.pull(here.folder / "run")
    assert (changed.read_text(), new.read_text()) == ("ours", "ours")
    here.pull(here.folder / "run", exact=True)
    assert changed.read_text() == "theirs"
    assert not new.exists()


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


def test_the_mirror_of_a_path(here, tmp_path):
    assert Mirror.of(here.folder / "run/units/a") is here
    assert Mirror.of(tmp_path / "runs/digits") is None


def test_another_process_has_its_own(here):
    assert pickle.loads(pickle.dumps(here)) is here
