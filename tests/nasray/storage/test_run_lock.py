import fcntl
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from nasray.storage import run_lock
from nasray.storage.claim import Claim
from nasray.storage.run_lock import FileLock, held

HOLD = """
import sys
from pathlib import Path
from nasray.storage import run_lock
from nasray.storage.run_lock import FileLock, held
run_lock.BEAT_SECONDS = 0.1
with held(FileLock(Path(sys.argv[1]))):
    print("held", flush=True)
    try:
        sys.stdin.read()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        raise
"""
ELSEWHERE = replace(Claim.mine(), token="0", host="node7", machine="another one")


@pytest.fixture
def holder(tmp_path):
    """Another process that works in the folder, until it is told that it may end."""
    hears = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    command = [sys.executable, "-c", hears + HOLD, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_folder_in_use_is_refused_with_who_uses_it(holder, tmp_path):
    with pytest.raises(
        ValueError, match=rf"another nasray works in it \(process {holder.pid} on .*, since 20"
    ):
        FileLock(tmp_path).take()


def test_a_folder_is_free_when_its_process_has_ended(holder, tmp_path):
    holder.communicate("", timeout=30)
    with held(FileLock(tmp_path)):
        pass
    assert not list(tmp_path.iterdir())


def test_a_killed_process_is_taken_over_at_once_and_that_is_said(holder, tmp_path, caplog):
    holder.kill()
    holder.wait()
    with held(FileLock(tmp_path)):
        assert f"is taken over from process {holder.pid} on" in caplog.text
        assert "that process is gone" in caplog.text


def test_another_process_of_the_same_number_is_not_the_same():
    assert replace(Claim.mine(), started=1).is_dead
    assert not Claim.mine().is_dead


def test_another_machines_claim_is_refused_while_it_is_fresh(tmp_path):
    (tmp_path / ".lock").write_text(ELSEWHERE.text)
    with pytest.raises(ValueError, match=r"on node7, since .*if it is surely dead, start again in 120 s"):
        FileLock(tmp_path).take()
    assert (tmp_path / ".lock").read_text() == ELSEWHERE.text


def test_another_machines_claim_without_life_is_taken_over(tmp_path, caplog):
    (tmp_path / ".lock").write_text(ELSEWHERE.text)
    long_ago = time.time() - 1000
    os.utime(tmp_path / ".lock", (long_ago, long_ago))
    FileLock(tmp_path).take()
    assert "on node7" in caplog.text
    assert "it has shown no life for 1000 s" in caplog.text


def test_an_older_nasrays_lock_is_none(tmp_path):
    (tmp_path / ".lock").touch()
    with held(FileLock(tmp_path)):
        pass


def test_a_claim_is_refreshed_while_it_is_held(holder, tmp_path):
    os.utime(tmp_path / ".lock", (1, 1))
    until = time.monotonic() + 30
    while (tmp_path / ".lock").stat().st_mtime < 1e9:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_who_was_taken_over_is_interrupted_and_told(holder, tmp_path):
    (tmp_path / ".lock").unlink()
    (tmp_path / ".lock").write_text(ELSEWHERE.text)
    assert holder.stdout.readline() == "interrupted\n"
    assert "UserError" in (told := holder.stderr.read())
    assert "another nasray took it over" in told
    assert (tmp_path / ".lock").read_text() == ELSEWHERE.text


def test_who_does_not_hear_ctrl_c_is_interrupted_too(tmp_path):
    """As a script's background jobs do not; SIGTERM is what a command takes for Ctrl-C."""
    deaf = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    hears = "signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
    command = [sys.executable, "-c", deaf + hears + HOLD, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        (tmp_path / ".lock").unlink()
        (tmp_path / ".lock").write_text(ELSEWHERE.text)
        assert process.stdout.readline() == "interrupted\n"
        assert "another nasray took it over" in process.stderr.read()


def test_of_many_at_once_one_gets_it(tmp_path):
    """Also where they find the claim of a dead process."""
    dead = replace(Claim.mine(), token="0", started=1)
    (tmp_path / ".lock").write_text(dead.text)
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen(command, text=True, **pipes) for _ in range(6)]
    told = [process.stdout.readline() for process in processes]
    for process in processes:
        process.kill()
        process.communicate()
    assert sorted(told) == [""] * 5 + ["held\n"]


def test_a_disk_without_locks_loses_no_newcomers_claim(tmp_path, monkeypatch):
    """Two take over a dead one's claim: the slower one judged it, and finds the faster one's in its place."""
    (tmp_path / ".lock").write_text(replace(Claim.mine(), token="0", started=1).text)
    faster, judge = FileLock(tmp_path), run_lock.refuse_unless_gone

    def judge_slowly(*judged):
        monkeypatch.setattr(run_lock, "refuse_unless_gone", judge)
        judge(*judged)
        faster.take()

    def no_locks(*_):
        raise OSError

    monkeypatch.setattr(run_lock, "refuse_unless_gone", judge_slowly)
    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(ValueError, match="which came in this instant"):
        FileLock(tmp_path).take()
    assert faster.refresh()
    faster.give()
    assert not list(tmp_path.iterdir())


def test_a_claim_that_could_not_be_written_leaves_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        FileLock(tmp_path).take()
    assert not list(tmp_path.iterdir())


def test_beats_are_shorter_than_what_counts_as_lifeless():
    assert 5 * run_lock.BEAT_SECONDS < run_lock.STALE_SECONDS
