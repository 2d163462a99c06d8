"""Searches whose runs lie in a store, against the same ones in a folder."""

import io
import os
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import yaml
from rich.console import Console

from nasray.cli import main
from nasray.experiment import search
from nasray.planning.plan import plan_search
from nasray.planning.resolve import resolve
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config
from nasray.storage.mirror import Mirror
from nasray.storage.staged import staged
from nasray.storage.store import Store
from nasray.storage.store_lock import StoreLock

pytestmark = [pytest.mark.usefixtures("ray_of_two"), pytest.mark.timeout(600)]


@pytest.fixture
def tiny(tiny_on_ray):
    return tiny_on_ray


TABLE = "tiny/ratings/block_1/2x16.parquet"


@pytest.fixture
def ranking(finished):
    """The ranking of the smallest search in a folder."""
    return (finished.folder / "ranking.parquet").read_bytes()


@pytest.fixture(scope="module")
def bucket(ray_of_two, tiny_in, tmp_path_factory):
    """A store after the smallest search."""
    place = tmp_path_factory.mktemp("store")
    search(
        tiny_in(
            place,
            resources={},
            storage={"root": f"file://{place}/bucket/runs", "staging": str(place / "staging")},
        )
    )
    return place / "bucket"


@pytest.fixture
def url(bucket, tmp_path):
    """A copy of that store, of which nothing is on this machine."""
    shutil.copytree(bucket, tmp_path / "bucket")
    return f"file://{tmp_path}/bucket/runs"


@pytest.fixture
def in_store(tiny, url):
    return tiny(storage={"root": url})


def test_a_store_gives_the_ranking_of_a_folder(url, ranking):
    store = Store(url)
    assert store.read("tiny/ranking.parquet") == ranking
    names = store.entries("tiny").keys()
    assert {"tiny/config.yaml", "tiny/report.html", "tiny/teacher/weights.safetensors", TABLE} <= names
    assert not [name for name in names if "last.pt" in name or "/tune/" in name]


def test_an_empty_machine_goes_on_from_the_store(in_store, url, ranking):
    Store(url).delete(TABLE)
    found = search(in_store)
    assert found.num_units_run == 1
    assert (
        (found.folder / "ranking.parquet").read_bytes() == ranking == Store(url).read("tiny/ranking.parquet")
    )
    shutil.rmtree(found.folder.parent)
    assert search(in_store).num_units_run == 0


def test_what_another_machine_did_since_counts(in_store, monkeypatch, tmp_path):
    """Each machine's folder is met with the store when a launch begins."""
    here = search(in_store)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    elsewhere = search(in_store | {"budgets": {"num_macs": 30e3}})
    assert elsewhere.num_units_run == 0
    assert len(elsewhere.ranking) < len(here.ranking)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (here.folder / "ranking.json").touch()  # as if this machine had been interrupted before it could push
    again = search(in_store | {"budgets": {"num_macs": 30e3}})
    assert list(again.ranking["architecture"]) == list(elsewhere.ranking["architecture"])


def test_a_unit_gets_what_it_reads_and_nothing_else(in_store):
    config = load_config(in_store)
    folder = RunFolder.of(config)
    plan = plan_search(config, folder, resolve(config, folder)[1])
    (spec,) = (unit.spec for unit in plan["ratings"] if unit.name == "block_1/2x16")
    with staged(spec, Mirror.of(folder.path)):
        assert spec.is_done
    brought = {file.parent.name for file in (folder.path.parent / "features").rglob("*.npy")}
    assert brought == {"boundary_1", "boundary_2"}
    assert not (folder.path / "units" / "block_0").exists()


def test_a_unit_reads_what_was_finished_and_not_what_a_killed_unit_left_here(in_store, url):
    config = load_config(in_store)
    folder = RunFolder.of(config)
    plan = plan_search(config, folder, resolve(config, folder)[1])
    (spec,) = (unit.spec for unit in plan["ratings"] if unit.name == "block_1/2x16")
    teacher, own = folder.teacher / "weights.safetensors", spec.folder / "last.pt"
    Store(url).write("tiny/units/block_1/2x16/last.pt", b"earlier")
    beside = folder.teacher / "beside.parquet"
    for path in (teacher, own, beside):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("left here")
    with staged(spec, Mirror.of(folder.path)):
        assert teacher.read_bytes() == Store(url).read("tiny/teacher/weights.safetensors")
        assert own.read_text() == "left here"  # the unit goes on from it
        assert beside.read_text() == "left here"  # another unit may be writing it


def test_what_is_damaged_here_alone_is_brought_anew(in_store, url, tmp_path):
    found = search(in_store)
    console = Console(file=io.StringIO(), soft_wrap=True)
    table = found.folder.parent / TABLE
    status, content = table.stat(), table.read_bytes()
    table.rename(tmp_path / "whole")  # else this process would not look at it once more
    table.write_bytes(bytes(len(content)))
    os.utime(table, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = search(in_store, console=console)
    assert again.num_units_run == 0
    assert f"{table} was damaged: it is brought anew from the store" in console.file.getvalue()
    assert table.read_bytes() == content == Store(url).read(TABLE)


def test_what_is_damaged_in_the_store_too_is_made_anew(in_store, url, ranking):
    content = Store(url).read(TABLE)
    Store(url).write(TABLE, bytes(len(content)))
    found = search(in_store)
    assert found.num_units_run == 1
    assert Store(url).read("tiny/ranking.parquet") == ranking
    assert Store(url).read(TABLE) == (found.folder.parent / TABLE).read_bytes() == content
    assert not [name for name in Store(url).entries("tiny") if name.endswith(".damaged")]


def test_evidence_of_another_ranking_goes_from_the_store_too(in_store, url):
    found = search(in_store)
    for name in ("agreement.parquet", "baselines.parquet"):
        Store(url).write(f"tiny/{name}", b"of the ranking before")
    search(in_store | {"budgets": {"num_macs": 30e3}})
    names = Store(url).entries("tiny").keys()
    assert "tiny/ranking.parquet" in names
    assert not names & {"tiny/agreement.parquet", "tiny/baselines.parquet"}
    assert not (found.folder / "agreement.parquet").exists()


def test_a_launch_elsewhere_is_refused(in_store, monkeypatch, tmp_path):
    with RunFolder.of(load_config(in_store)).locked():
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
        with pytest.raises(ValueError, match="another nasray works in it"):
            search(in_store)


def test_commands_take_a_url(url, tmp_path, capsys):
    run = f"{url}/tiny"
    assert main(["rank", run, "--max-macs", "30e3", "--output", str(tmp_path / "ranking.csv")]) == 0
    table = pd.read_csv(tmp_path / "ranking.csv")
    assert 0 < len(table) < 54
    assert not list((tmp_path / "cache").rglob("*.safetensors"))
    Store(url).delete("tiny/report.html")
    assert main(["report", run]) == 0
    assert Store(url).entry("tiny/report.html") is not None
    architecture = table["architecture"].iloc[0]
    training = "retrain={train: {epochs: 1, batch_size: 64, lr: 0.1}}"
    assert main(["retrain", run, "--architecture", architecture, training]) == 0
    assert [name for name in Store(url).entries("tiny/units/retrain") if name.endswith("network.safetensors")]


def test_commands_that_leave_something_in_a_run_wait_for_its_launch(url, tmp_path, capsys):
    launch = StoreLock(Store(url), "tiny")
    launch.take()
    assert main(["report", f"{url}/tiny"]) == 2
    assert "another nasray works in it" in capsys.readouterr().err
    assert main(["rank", f"{url}/tiny"]) == 0
    assert main(["report", f"{url}/tiny", "--output", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").exists()


def test_a_run_that_is_not_there_is_told(url, capsys):
    assert main(["rank", f"{url}/none"]) == 2
    assert f"RUN must be the URL of a run, with a config.yaml; {url}/none has none" in capsys.readouterr().err


def test_features_lie_in_the_store(tiny, url):
    with pytest.raises(ValueError, match="features must be left out where root is a store's URL"):
        load_config(tiny(storage={"root": url, "features": "elsewhere"}))


def test_keys_do_not_stand_in_a_config(tiny):
    with pytest.raises(ValueError, match=r"storage\.root: must hold no keys or passwords") as raised:
        load_config(tiny(storage={"root": "s3://key:hidden@bucket/runs"}))
    assert "hidden" not in str(raised.value)


@pytest.fixture
def command(tiny, s3_url, tmp_path):
    """A search in S3, as a process of its own."""
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny(storage={"root": s3_url})))
    config = [str(tmp_path / "tiny.yaml"), "resources.address=local"]
    return [sys.executable, "-m", "nasray.cli", "search", *config]


def test_an_s3_gives_the_ranking_of_a_folder(command, s3_url, ranking):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert f"Run: {s3_url}/tiny" in done.stdout
    assert Store(s3_url).read("tiny/ranking.parquet") == ranking


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_driver_goes_on_from_s3_on_an_empty_machine(command, s3_url, tiny, tmp_path):
    command.append("searches.0.epochs=30")
    store = Store(s3_url)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as driver:
        while driver.poll() is None and not _training(store):
            time.sleep(0.05)
        driver.send_signal(signal.SIGKILL)
    done_before = {name for name in store.entries("tiny") if name.endswith("/done.json")}
    assert done_before
    times = {name: store.entry(name) for name in done_before}
    shutil.rmtree(tmp_path / "cache")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "is taken over from process" in done.stderr
    assert {name: store.entry(name) for name in done_before} == times
    plain = tiny(storage={"root": str(tmp_path / "folder")})
    plain["searches"][0]["epochs"] = 30
    alone = search(plain)
    assert store.read("tiny/ranking.parquet") == (alone.folder / "ranking.parquet").read_bytes()


def _training(store):
    return [name for name in store.entries("tiny/units") if "block" in name and name.endswith("last.pt")]
