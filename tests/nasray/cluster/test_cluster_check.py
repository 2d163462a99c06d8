"""What a node is told to lack; that all are asked at the start is tested on hosts of their own, see tests/cluster."""

import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
import ray
import yaml
from ray.cluster_utils import Cluster

from nasray.cluster.cluster_check import ClusterCheck, Expected, NodeCheck
from nasray.planning.plan import plan_search
from nasray.planning.resolve import resolve
from nasray.run.folder import RunFolder
from nasray.scheduling.schedule import run_schedule
from nasray.scheduling.unit import Unit
from nasray.settings.loading import load_config
from nasray.settings.resources import ResourcesConfig
from nasray.storage.mirror import Mirror
from nasray.storage.store import Store
from nasray.trainables.inputs import UnitInputs
from nasray.trainables.units import parse_spec

OWN = """
from torch import nn

def identity(in_channels, out_channels, stride):
    return nn.Conv2d(in_channels, out_channels, 1, stride)
"""


@pytest.fixture
def spec(tiny, tmp_path, monkeypatch):
    """A unit of a search with an operation of the user's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "own_operation", raising=False)
    (tmp_path / "own_operation.py").write_text(OWN)
    plain = tiny()
    plain["search_space"] = plain["search_space"] | {"operations": {"own": "own_operation:identity"}}
    config = load_config(plain)
    folder = RunFolder.of(config)
    plan = plan_search(config, folder, resolve(config, folder)[1])
    return plan["teacher"][0].spec


@pytest.fixture
def expected(spec, tmp_path):
    (tmp_path / "marker").write_text("here")
    return Expected(
        storage=tmp_path,
        url=None,
        marker="marker",
        content="here",
        sources=frozenset(spec.inputs.sources.items()),
        versions={"torch": version("torch")},
    )


@pytest.fixture
def unseen(spec):
    """The unit as a node gets it, which opened none of its files yet."""
    return parse_spec(spec.model_dump(mode="json"))


def test_a_node_that_sees_the_same_lacks_nothing(unseen, expected):
    assert expected.lacking([unseen]) is None


def test_a_folder_that_is_not_there_is_named(unseen, expected, tmp_path):
    (tmp_path / "marker").unlink()
    assert f"but {tmp_path} is another one there, or none" in expected.lacking([unseen])


def test_a_folder_of_the_same_name_is_not_the_same(unseen, expected, tmp_path):
    (tmp_path / "marker").write_text("there")
    assert "storage.root must be a folder that all nodes share" in expected.lacking([unseen])


def test_another_version_is_told(unseen, expected):
    message = replace(expected, versions={"torch": "1.0"}).lacking([unseen])
    assert message.startswith(f"torch must be 1.0, as here, but is {version('torch')} there")


def test_a_module_that_is_missing_is_named(unseen, expected, tmp_path, monkeypatch):
    (tmp_path / "own_operation.py").unlink()
    monkeypatch.delitem(sys.modules, "own_operation")
    assert "no module 'own_operation'" in expected.lacking([unseen])


def test_a_module_that_differs_is_named(unseen, expected, tmp_path):
    (tmp_path / "own_operation.py").write_text(OWN + "# changed since\n")
    message = expected.lacking([unseen])
    assert message.startswith("the file of module own_operation differs from the one here")


def test_a_store_that_is_reached_and_one_that_is_not(unseen, expected, tmp_path):
    store = Store(f"file://{tmp_path}/bucket")
    store.write("seen", b"here")
    expected = replace(expected, url=store.url, storage=tmp_path / "staging", marker="seen")
    assert expected.lacking([unseen]) is None
    message = replace(expected, marker="other").lacking([unseen])
    assert message.startswith("storage.root must be the same store for all nodes")
    (tmp_path / "in the way").touch()
    message = replace(expected, storage=tmp_path / "in the way" / "x").lacking([unseen])
    assert message.startswith("storage.root must be a store that all nodes reach")


@pytest.mark.usefixtures("ray_of_two")
def test_the_only_node_is_this_one(spec, expected, tmp_path):
    with ClusterCheck(tmp_path / "runs" / "tiny").checked([spec]) as nodes:
        assert nodes.checked == {node["NodeID"] for node in ray.nodes()}
        # What is wrong elsewhere is not asked here.
        assert NodeCheck(replace(expected, content="there"), nodes.checked).lacking(spec) is None


@pytest.mark.usefixtures("ray_of_two")
def test_the_marker_is_there_as_long_as_nodes_may_join(spec, tmp_path):
    run = tmp_path / "runs" / "tiny"
    (run / ".seen").mkdir(parents=True)
    (run / ".seen" / "old").touch()  # of a launch that was killed
    with ClusterCheck(run).checked([spec]) as nodes:
        (marker,) = (run / ".seen").iterdir()
        assert nodes.expected.marker == f"tiny/.seen/{marker.name}"
        assert NodeCheck(nodes.expected, frozenset()).lacking(spec) is None
    assert list(run.iterdir()) == []


@pytest.mark.usefixtures("ray_of_two")
def test_the_marker_of_a_store_lies_in_the_store(spec, tmp_path):
    store = Store(f"file://{tmp_path}/bucket")
    store.write("tiny/.seen/old", b"")
    Mirror.create(store.url, tmp_path / "staging")
    with ClusterCheck(tmp_path / "staging" / "tiny").checked([spec]) as nodes:
        assert list(store.entries("tiny/.seen")) == [nodes.expected.marker]
        assert NodeCheck(nodes.expected, frozenset()).lacking(spec) is None
    assert store.entries("tiny/.seen") == {}


@pytest.mark.usefixtures("ray_of_two")
def test_units_with_fewer_names_are_checked_as_well(spec, tmp_path):
    """Such as SD-DARTS's beside a search with a teacher of the user's own; and what they alone name."""
    plain = UnitInputs(
        seed=0, data=spec.inputs.data, search_space={"source": "digits"}, compute=spec.inputs.compute
    )
    other = spec.model_copy(update={"inputs": plain})
    for specs in ([spec, other], [other, spec]):
        with ClusterCheck(tmp_path / "runs" / "tiny").checked(specs) as nodes:
            later = NodeCheck(nodes.expected, frozenset())
            assert [later.lacking(one) for one in specs] == [None, None]
            (tmp_path / "own_operation.py").write_text(OWN + "# changed since\n")
            unseen = parse_spec(spec.model_dump(mode="json"))
            assert "the file of module own_operation differs" in later.lacking(unseen)
            assert later.lacking(other) is None
            (tmp_path / "own_operation.py").write_text(OWN)


@pytest.mark.usefixtures("ray_of_two")
def test_a_storage_that_is_away_for_a_moment_is_waited_for(spec, tmp_path):
    run = tmp_path / "runs" / "tiny"
    with ClusterCheck(run).checked([spec]) as nodes:
        away = run.rename(tmp_path / "away")
        back = threading.Timer(1, away.rename, [run])
        back.start()
        assert "but" in NodeCheck(nodes.expected, frozenset(), pauses=()).lacking(spec)
        assert NodeCheck(nodes.expected, frozenset(), pauses=(2,)).lacking(spec) is None
        back.join()


@pytest.mark.usefixtures("ray_of_two")
def test_a_unit_whose_node_lacks_something_ends_the_run(spec, expected, tmp_path):
    """Not the unit alone: all others would end there in the same way."""
    nodes = NodeCheck(replace(expected, versions={"torch": "1.0"}), frozenset())
    with pytest.raises(ValueError, match=r"(?s)each node .*\d+\.\d+: torch must be 1\.0"):
        run_schedule([Unit(spec)], set(), ResourcesConfig(), tmp_path / "tune", nodes, [])
    assert not spec.folder.exists()


@pytest.fixture
def cluster(monkeypatch):
    """A cluster of processes of this machine: a head that runs no unit, and a node for one."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        Path(folder, "ray").mkdir()
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        try:
            cluster.add_node(num_cpus=1)
            yield cluster
        finally:
            cluster.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_node_that_joins_and_lacks_something_is_told(cluster, tiny, tmp_path):
    config = tiny(resources={})
    config["searches"][0]["epochs"] = 2000  # long enough for a node to join meanwhile
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(config))
    other_numpy = tmp_path / "other" / "numpy-1.0.dist-info" / "METADATA"
    other_numpy.parent.mkdir(parents=True)
    other_numpy.write_text("Name: numpy\nVersion: 1.0\n")
    nasray = Path(sys.executable).with_name("nasray")
    search = subprocess.Popen(
        [nasray, "search", "search.yaml", f"resources.address={cluster.address}"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while search.poll() is None and not list(tmp_path.glob("runs/tiny/teacher/done.json")):
        time.sleep(0.1)
    cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": str(tmp_path / "other")})
    told, _ = search.communicate(timeout=300)
    assert search.returncode == 2, told
    assert f"numpy must be {version('numpy')}, as here, but is 1.0 there" in told
    assert "Traceback" not in told
