"""What a node is told to lack; that nodes are asked is tested on hosts of their own, see tests/cluster."""

import sys
from importlib.metadata import version

import pytest

from nasray.cluster_check import ClusterCheck, lacking
from nasray.config_file import load_config
from nasray.plan import plan_search
from nasray.resolve import resolve
from nasray.run_folder import RunFolder
from nasray.storage.store import Store

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
    return {"marker": "here", "sources": spec.inputs.sources, "versions": {"torch": version("torch")}}


def told(spec, expected, tmp_path):
    return lacking(str(tmp_path / "marker"), spec.model_dump(mode="json"), expected)


def test_a_node_that_sees_the_same_lacks_nothing(spec, expected, tmp_path):
    assert told(spec, expected, tmp_path) is None


def test_a_folder_that_is_not_there_is_named(spec, expected, tmp_path):
    (tmp_path / "marker").unlink()
    assert f"but {tmp_path} is another one there, or none" in told(spec, expected, tmp_path)


def test_a_folder_of_the_same_name_is_not_the_same(spec, expected, tmp_path):
    (tmp_path / "marker").write_text("there")
    assert "storage.root must be a folder that all nodes share" in told(spec, expected, tmp_path)


def test_another_version_is_told(spec, expected, tmp_path):
    message = told(spec, expected | {"versions": {"torch": "1.0"}}, tmp_path)
    assert message.startswith(f"torch must be 1.0, as here, but is {version('torch')} there")


def test_a_module_that_is_missing_is_named(spec, expected, tmp_path, monkeypatch):
    (tmp_path / "own_operation.py").unlink()
    monkeypatch.delitem(sys.modules, "own_operation")
    assert "no module 'own_operation'" in told(spec, expected, tmp_path)


def test_a_module_that_differs_is_named(spec, expected, tmp_path):
    (tmp_path / "own_operation.py").write_text(OWN + "# changed since\n")
    message = told(spec, expected, tmp_path)
    assert message.startswith("the file of own_operation:identity differs from the one here")


def test_a_store_that_is_reached_and_one_that_is_not(spec, expected, tmp_path):
    store = Store(f"file://{tmp_path}/bucket")
    store.write(".seen", b"here")
    expected |= {"staging": str(tmp_path / "staging")}
    plain = spec.model_dump(mode="json")
    assert lacking(f"{store.url}/.seen", plain, expected) is None
    message = lacking(f"{store.url}/.other", plain, expected)
    assert message.startswith("storage.root must be the same store for all nodes")
    (tmp_path / "in the way").touch()
    message = lacking(f"{store.url}/.seen", plain, expected | {"staging": str(tmp_path / "in the way" / "x")})
    assert message.startswith("storage.root must be a store that all nodes reach")


@pytest.mark.usefixtures("ray_of_two")
def test_a_cluster_of_one_node_is_not_asked(spec, tmp_path):
    ClusterCheck(tmp_path / "storage").check(spec)
    assert not (tmp_path / "storage").exists()
