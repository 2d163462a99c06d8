"""Nodes that share a store and no disk, one of which dies. Needs root, for namespaces."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nasray.experiment import search
from nasray.storage.store import Store

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900), pytest.mark.usefixtures("ray_of_two")]
NODES = Path(__file__).with_name("nodes.sh")


@pytest.fixture
def plain(tiny):
    """A search whose cells take long enough for a node to die meanwhile."""
    config = tiny()
    config["searches"][0]["epochs"] = 40
    return config


@pytest.fixture
def nodes(plain, s3_url, tmp_path):
    """The search, run on nodes of which one died; gives what that one and the first one held, by name."""
    (tmp_path / "staging").mkdir()
    storage = {"root": s3_url, "staging": str(tmp_path / "staging")}
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(plain | {"storage": storage}))
    alone = ["unshare", "-p", "-m", "-f", "--mount-proc", "--kill-child"]
    command = [*alone, "bash", str(NODES), str(tmp_path), str(free_port())]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with (tmp_path / "said.txt").open("w") as said:
        code = subprocess.run(
            command, env=os.environ | {"PATH": path}, stdout=said, stderr=said, check=False
        ).returncode
    assert code == 0, (tmp_path / "said.txt").read_text()[-5000:]
    return {name: (tmp_path / f"{name}.txt").read_text() for name in ("killed", "head")}


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
def test_a_node_that_dies_leaves_no_trace_in_the_ranking(nodes, plain, s3_url):
    folder = search(plain).folder
    assert Store(s3_url).read("tiny/ranking.parquet") == (folder / "ranking.parquet").read_bytes()
    # Each node has what its units read, and the first one, which runs none, no features.
    assert "last.pt" in nodes["killed"]
    assert ".npy" in nodes["killed"]
    assert "supernet.safetensors" in nodes["head"]
    assert ".npy" not in nodes["head"]
