import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# Two Rays one after the other, as in a search of several parts; tells what they were and what is left of them.
SCRIPT = """
import json, os
from pathlib import Path
import nasray
import ray
from nasray.cluster.cluster import ray_cluster
from nasray.settings.resources import ResourcesConfig

def look():
    kept = ("RAY_AUTH", "TORCHINDUCTOR", "TMPDIR")
    return {name: value for name, value in os.environ.items() if name.startswith(kept)}

tokens = []
with ray_cluster(ResourcesConfig()):
    pass  # Ray itself leaves variables
before = look()
for _ in range(2):
    with ray_cluster(ResourcesConfig()):
        seen = ray.get(ray.remote(look).remote())
        tokens.append(Path(seen["RAY_AUTH_TOKEN_PATH"]).read_text())
print(json.dumps({"before": before, "after": look(), "within": seen, "tokens": tokens}))
"""
WITHOUT_ACCOUNTS = ["unshare", "-m", "sh", "-c", 'mount --bind /dev/null /etc/passwd && exec "$@"', "sh"]


@pytest.fixture
def told():
    """What the script tells, and what is left in the folder for temporary ones."""

    def run(*, prefix=(), **variables):
        with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder:
            environment = os.environ | {"RAY_TMPDIR": folder} | variables
            environment = {name: value for name, value in environment.items() if value is not None}
            command = [*prefix, sys.executable, "-c", SCRIPT]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout.splitlines()[-1]), [*Path(folder).iterdir()]

    return run


@pytest.mark.timeout(600)
def test_each_local_ray_has_a_token_of_its_own_and_leaves_nothing(told, tmp_path):
    """Whatever the environment says of other clusters and places, and where the home folder takes no file."""
    secret, long = "a" * 64, tmp_path / ("x" * 100)
    long.mkdir()
    found, left = told(RAY_AUTH_TOKEN=secret, RAY_AUTH_MODE="disabled", HOME="/proc", TMPDIR=str(long))
    assert len({*found["tokens"], secret}) == 3
    assert found["before"] == found["after"]
    assert found["after"].items() >= {"RAY_AUTH_TOKEN": secret, "RAY_AUTH_MODE": "disabled"}.items()
    assert "RAY_AUTH_TOKEN_PATH" not in found["after"]
    assert "RAY_AUTH_TOKEN" not in found["within"]
    assert found["within"]["RAY_AUTH_MODE"] == "token"
    assert "/nasray-" in found["within"]["TORCHINDUCTOR_CACHE_DIR"]
    assert "/nasray-" in found["within"]["TMPDIR"]  # loaders' sockets have room there
    assert found["after"]["TMPDIR"] == str(long)
    assert left == []


@pytest.mark.timeout(600)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide the accounts")
def test_an_account_that_the_system_does_not_know_needs_no_home(told):
    found, left = told(prefix=WITHOUT_ACCOUNTS, HOME=None)
    assert len(set(found["tokens"])) == 2
    assert left == []
