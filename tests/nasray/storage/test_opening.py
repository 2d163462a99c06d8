import pytest

from nasray.settings.storage import StorageConfig
from nasray.storage.mirror import Mirror
from nasray.storage.opening import EXPORTS, REPORT, opened_to_read, opened_to_work
from nasray.storage.staged import begin_launch
from nasray.storage.store import Store
from nasray.storage.store_lock import StoreLock
from nasray.storage.urls import staging_folder


@pytest.fixture
def url(tmp_path):
    return f"file://{tmp_path}/bucket/runs"


@pytest.fixture
def store(url):
    """A store with a run."""
    store = Store(url)
    store.write("digits/config.yaml", b"name: digits")
    store.write("digits/ranking.parquet", b"newer")
    store.write("digits/units/teacher/weights.safetensors", b"weights")
    return store


@pytest.fixture
def leftover(url, store):
    """A launch on this machine was killed before it pushed, and another machine has gone on."""
    mirror = Mirror.create(url, staging_folder(url))
    run = mirror.folder / "digits"
    begin_launch(mirror, run)
    (run / "ranking.parquet").write_text("older")
    (run / "config.yaml").write_text("name: older")
    store.write("digits/.launch", b"another machine")
    return run


def test_reading_shows_what_the_store_has(url, store, leftover):
    with opened_to_read(f"{url}/digits", tables_only=True) as run:
        assert (run / "ranking.parquet").read_text() == "newer"
        assert not (run / "units").exists()
        (run / "ranking.parquet").write_text("mistaken")
    with opened_to_read(f"{url}/digits") as run:
        assert (run / "ranking.parquet").read_text() == "newer"
        assert (run / "units/teacher/weights.safetensors").read_text() == "weights"
    assert store.read("digits/ranking.parquet") == b"newer"


def test_reading_leaves_a_launch_on_this_machine_alone(url, leftover):
    with opened_to_read(f"{url}/digits"):
        pass
    assert (leftover / "ranking.parquet").read_text() == "older"


def test_reading_does_not_wait_for_a_launch(url, store):
    StoreLock(store, "digits").take()
    with opened_to_read(f"{url}/digits", tables_only=True) as run:
        assert (run / "ranking.parquet").read_text() == "newer"


def test_what_a_command_makes_is_brought_to_the_store_and_nothing_else(url, store):
    store.write("digits/exports/a/onnx/model.onnx", b"earlier")
    with opened_to_read(f"{url}/digits", leaves=EXPORTS) as run:
        assert (run / "exports/a/onnx/model.onnx").read_text() == "earlier"
        (run / "exports/a/torch").mkdir()
        (run / "exports/a/torch/model.py").write_text("made")
        (run / "ranking.parquet").write_text("mistaken")
    assert store.read("digits/exports/a/torch/model.py") == b"made"
    assert store.read("digits/exports/a/onnx/model.onnx") == b"earlier"
    assert store.read("digits/ranking.parquet") == b"newer"
    assert not [name for name in store.entries("digits") if ".claims" in name or ".launch" in name]


def test_nothing_is_made_while_a_launch_works_in_the_run(url, store):
    launch = StoreLock(store, "digits")
    launch.take()
    with (
        pytest.raises(
            ValueError, match=r"digits in file:.* must not be in use, but another nasray works in it"
        ),
        opened_to_read(f"{url}/digits", leaves=REPORT),
    ):
        pass
    launch.give()
    with opened_to_read(f"{url}/digits", leaves=REPORT) as run:
        with pytest.raises(ValueError, match="another nasray works in it"):
            launch.take()
        (run / REPORT).write_text("made")
    assert store.read(f"digits/{REPORT}") == b"made"


def test_what_another_command_is_making_is_left_alone(url, store):
    with opened_to_read(f"{url}/digits", leaves=REPORT) as run:
        (run / REPORT).write_text("made")
        with opened_to_read(f"{url}/digits"):
            pass
    assert store.read(f"digits/{REPORT}") == b"made"


def test_a_command_that_fails_brings_nothing(url, store):
    def fail():
        with opened_to_read(f"{url}/digits", leaves=REPORT) as run:
            (run / REPORT).write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert store.read(f"digits/{REPORT}") is None


def test_work_begins_with_the_stores_config_and_brings_nothing_by_itself(url, store, leftover):
    run = opened_to_work(f"{url}/digits")
    assert run == leftover
    assert (run / "config.yaml").read_text() == "name: digits"
    assert (run / "units/teacher/weights.safetensors").read_text() == "weights"
    assert store.read("digits/ranking.parquet") == b"newer"


def test_a_folder_is_itself(tmp_path):
    assert opened_to_work(str(tmp_path)) == tmp_path
    with opened_to_read(str(tmp_path), leaves=REPORT) as run:
        assert run == tmp_path


@pytest.mark.parametrize("run", ["s3://bucket", "s3://bucket/", "file:///runs"])
@pytest.mark.parametrize("tables_only", [False, True])
def test_a_url_must_name_a_run(run, tables_only):
    with (
        pytest.raises(ValueError, match=f"RUN must be the URL of a run, .*, got {run}: "),
        opened_to_read(run, tables_only=tables_only),
    ):
        pass


def test_a_run_that_is_not_there_is_told_by_its_url_and_nothing_is_fetched(url, store, tmp_path):
    for run in (f"{url}/none", f"{url}/digits/units", url):
        with pytest.raises(ValueError, match=f"RUN must be .* a config.yaml; {run} has none"):
            opened_to_work(run)
    assert not (tmp_path / "cache").exists()


def test_a_slash_at_the_end_of_the_root_is_no_other_store(url, store):
    with_slash, without = StorageConfig(root=f"{url}/"), StorageConfig(root=url)
    assert with_slash == without
    mirror = Mirror.create(with_slash.url, with_slash.folder)
    assert opened_to_work(f"{url}/digits") == mirror.folder / "digits"
