"""A Ray is joined by itself only where this account started it. As root, as which the tests may be another account."""

import os
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from nasray.cluster.own_cluster import ForeignClusterError, find_own_cluster

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another account")
OTHERS = f"""
import os, socket, sys
os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
server = socket.create_server(("127.0.0.2", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""
LOOK_AS_ANOTHER = f"""
import os
from nasray.cluster.own_cluster import ForeignClusterError, find_own_cluster
os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
try:
    print(find_own_cluster())
except ForeignClusterError as error:
    print(error)
"""


@pytest.fixture
def address_file(monkeypatch):
    """Where Ray leaves a cluster's address; a folder that all accounts may enter."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("RAY_TMPDIR", folder)
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        Path(folder, "ray").mkdir()
        yield Path(folder, "ray", "ray_current_cluster")


@contextmanager
def others_listen():
    """Another account's process listens, at this port of 127.0.0.2."""
    with subprocess.Popen(
        [sys.executable, "-c", OTHERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield int(process.stdout.readline())
        process.communicate()


def test_without_a_file_there_is_none(address_file):
    assert find_own_cluster() is None


@pytest.mark.parametrize("host", ["127.0.0.2", "", "::"])
def test_what_this_account_started_is_found(address_file, host):
    """Listening there alone, or on all of the machine's addresses."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family, dualstack_ipv6=family == socket.AF_INET6) as server:
        address = f"127.0.0.2:{server.getsockname()[1]}"
        address_file.write_text(f"{address}\n")
        assert find_own_cluster() == address


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("127.0.0.2:9", "nothing answers at 127.0.0.2:9"),
        ("192.0.2.1:6379", "192.0.2.1:6379 is not this machine's"),
        ("example.org:6379", "'example.org' does not appear to be"),
        ("", "Invalid address"),
        ("\x1b[31m" * 1000, "Invalid address|Malformed"),
        ("127.0.0.2:99999999", "nothing answers"),
        ("127.0.0.2:port", "invalid literal"),
    ],
)
def test_an_address_at_which_none_of_this_account_listens_is_not_joined(address_file, text, reason):
    address_file.write_text(text)
    with pytest.raises(ForeignClusterError, match=reason):
        find_own_cluster()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "bytes"])
def test_what_is_no_plain_file_is_not_read(address_file, kind):
    with socket.create_server(("127.0.0.2", 0)) as server:
        if kind == "link":
            (own := address_file.with_name("own")).write_text(f"127.0.0.2:{server.getsockname()[1]}")
            address_file.symlink_to(own)
        elif kind == "pipe":
            os.mkfifo(address_file)
        elif kind == "folder":
            address_file.mkdir()
        else:
            address_file.write_bytes(b"\xff\xfe127.0.0.2:1")
        with pytest.raises(ForeignClusterError, match="is not joined"):
            find_own_cluster()


@as_root
def test_a_file_of_another_account_is_not_believed(address_file):
    with socket.create_server(("127.0.0.2", 0)) as server:
        address_file.write_text(f"127.0.0.2:{server.getsockname()[1]}")
        os.chown(address_file, NOBODY, NOBODY)
        with pytest.raises(ForeignClusterError, match="the file is not this account's own"):
            find_own_cluster()


@as_root
def test_what_another_account_listens_at_is_not_joined(address_file):
    """Nor where this account listens at the same port of another address."""
    with others_listen() as port, socket.create_server(("127.0.0.3", port)):
        address_file.write_text(f"127.0.0.2:{port}")
        with pytest.raises(ForeignClusterError, match="not known to be a process of this account"):
            find_own_cluster()
        address_file.write_text(f"127.0.0.3:{port}")
        assert find_own_cluster() == f"127.0.0.3:{port}"


@as_root
def test_where_it_cannot_be_known_whose_process_listens_it_is_not_joined(address_file):
    """An account that is not root cannot look at others' processes."""
    with socket.create_server(("127.0.0.2", 0)) as server:
        address_file.write_text(f"127.0.0.2:{server.getsockname()[1]}")
        os.chown(address_file, NOBODY, NOBODY)
        done = subprocess.run(
            [sys.executable, "-c", LOOK_AS_ANOTHER], capture_output=True, text=True, check=True
        )
    assert "not known to be a process of this account" in done.stdout
