import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from nasray.account.private_folder import private_folder

SOCKET = "s" * 60
HOLD = """
import sys
from nasray.account.private_folder import private_folder

with private_folder("socket") as folder:
    (folder / "log").touch()
    print(folder, flush=True)
    sys.stdin.read()
"""
NAMES_IT = "import sys; print(flush=True); sys.stdin.read()"


@pytest.fixture
def place(monkeypatch):
    """The first place for private folders, of a short path."""
    with tempfile.TemporaryDirectory(prefix="p-", dir="/tmp") as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        yield Path(folder)


def started(*command):
    """A process that has told its first line, and that line."""
    process = subprocess.Popen(
        [sys.executable, "-c", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return process, process.stdout.readline().strip()


def ended(process, how=signal.SIGKILL):
    process.send_signal(how)
    process.communicate()


def test_a_private_folder_is_for_this_account_alone_whatever_the_umask_and_goes_at_the_end(place):
    before = os.umask(0)
    try:
        with private_folder(SOCKET) as folder:
            assert folder.parent == place
            assert folder.stat().st_mode & 0o777 == 0o700
            (folder / "ray").mkdir()
            (folder / "ray" / "log").touch()
    finally:
        os.umask(before)
    assert not folder.exists()


def test_what_a_killed_process_left_goes_with_the_next_launch(place):
    process, left = started(HOLD)
    ended(process)
    assert Path(left, "log").exists()
    with private_folder(SOCKET):
        assert not Path(left).exists()


def test_what_a_living_process_has_stays(place):
    process, held = started(HOLD)
    with private_folder(SOCKET):
        assert Path(held, "log").exists()
    ended(process)


def test_what_processes_of_a_killed_one_still_use_stays(place):
    """Ray's own, which name it among their arguments, outlive their driver for a while."""
    process, left = started(HOLD)
    ended(process)
    other, _ = started(NAMES_IT, f"--session-dir={left}/ray/session")
    with private_folder(SOCKET):
        assert Path(left, "log").exists()
    ended(other)
    with private_folder(SOCKET):
        assert not Path(left).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_others_have_stays(place):
    others = place / "nasray-others"
    (others / "ray").mkdir(parents=True)
    os.chown(others, 65534, 65534)
    (place / "nasray-link").symlink_to(others)
    with private_folder(SOCKET):
        pass
    assert others.exists()
    assert (place / "nasray-link").is_symlink()


@pytest.mark.parametrize("how", ["long", "others may rename", "missing"])
def test_another_place_is_taken_where_the_first_is_none(place, monkeypatch, how):
    bad = place / ("x" * 60 if how == "long" else "bad")
    if how != "missing":
        bad.mkdir()
    if how == "others may rename":
        bad.chmod(0o777)
    monkeypatch.setenv("RAY_TMPDIR", str(bad))
    with private_folder(SOCKET) as folder:
        assert folder.parent != bad
        assert len(os.fsencode(folder / SOCKET)) <= 107


def test_where_no_place_is_the_remedy_is_told():
    with (
        pytest.raises(
            ValueError, match=r"TMPDIR must be a folder .* short enough for sockets, got .*: set TMPDIR"
        ),
        private_folder("s" * 107),
    ):
        pass
