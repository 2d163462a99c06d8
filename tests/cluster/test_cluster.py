import os
import shutil

import pytest
import yaml
from hosts import REPOSITORY
from hosts_cluster import edited_cluster_file
from search_on_hosts import search_on_hosts

_TOOLS = ("ip", "sshd", "ssh", "rsync", "unshare", "nsenter", "setpriv", "make")
CLUSTER_FILES = (REPOSITORY / "cluster.yaml", REPOSITORY / "clusters" / "aws-gpu.yaml")


@pytest.mark.cluster
@pytest.mark.timeout(1200)
@pytest.mark.skipif(os.geteuid() != 0, reason="hosts of one's own are made by root")
@pytest.mark.skipif(any(shutil.which(tool) is None for tool in _TOOLS), reason=f"needs {', '.join(_TOOLS)}")
def test_a_search_on_three_hosts(tmp_path):
    search_on_hosts(tmp_path, tell=print)


@pytest.mark.parametrize("path", CLUSTER_FILES, ids=lambda path: path.name)
def test_ray_takes_the_cluster_file(path):
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(yaml.safe_load(path.read_text())))


@pytest.mark.parametrize("path", CLUSTER_FILES, ids=lambda path: path.name)
def test_all_that_is_brought_to_the_nodes_is_there(path):
    """And all that an installation needs is brought."""
    mounts = yaml.safe_load(path.read_text())["file_mounts"]
    assert [source for source in mounts.values() if not (REPOSITORY / source).exists()] == []
    brought = {
        target.removeprefix("~/nasray-install/")
        for target in mounts
        if target.startswith("~/nasray-install/")
    }
    packages = {"nasray", "search_spaces", "trainables", "analysis", "configs"}
    assert brought >= packages | {"Makefile", "pyproject.toml", "constraints.txt", "README.md", "LICENSE"}


@pytest.mark.parametrize("path", CLUSTER_FILES, ids=lambda path: path.name)
def test_the_first_machine_alone_says_which_cluster_a_search_joins(path):
    """On the others the address would be another's; without it a search there would join none by itself."""
    plain = yaml.safe_load(path.read_text())
    export = "echo 'export RAY_ADDRESS=127.0.0.1:6379' >> ~/nasray-install/environment.sh"
    assert export in plain["head_setup_commands"]
    assert "RAY_ADDRESS" not in "".join(plain["setup_commands"])
    assert any("--port=6379" in command for command in plain["head_start_ray_commands"])


def test_the_hosts_cluster_is_the_shipped_one_with_what_a_user_changes():
    shipped = yaml.safe_load(CLUSTER_FILES[0].read_text())
    edited = yaml.safe_load(edited_cluster_file(["10.0.0.1", "10.0.0.2"]))
    assert edited["setup_commands"] == shipped["setup_commands"]
    assert edited["provider"] == {"type": "local", "head_ip": "10.0.0.1", "worker_ips": ["10.0.0.2"]}
