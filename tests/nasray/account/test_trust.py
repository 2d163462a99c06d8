"""What a run's folder that somebody else sent makes nasray do: nothing, until it is told to trust what that names."""

import importlib.util
import os
import py_compile
import re
import shutil
import sys

import numpy as np
import pytest

from nasray.account import trust
from nasray.cli import main
from nasray.inputs.shared import planned_inputs
from nasray.run.folder import RunFolder
from nasray.search_spaces.chain.mbconv import digits
from nasray.settings.loading import load_config

EVIL = """
from pathlib import Path
import helper
Path("flag").touch()
"""
ACTING = [
    ["export"],
    ["latency"],
    ["retrain", "--architecture", "2x16:skip,skip"],
    ["additivity"],
    ["refine"],
    ["baselines"],
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The current folder, with a module that leaves a flag where it runs; this account has searched nothing yet."""
    (tmp_path / "evil.py").write_text(EVIL)
    (tmp_path / "helper.py").write_text("")
    (tmp_path / "state").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("evil", "helper"):
        sys.modules.pop(name, None)
    sys.path[:] = [entry for entry in sys.path if entry != str(tmp_path)]


@pytest.fixture
def received(folder, tiny):
    """The folder of a run that somebody else's search left, with changes to its config."""

    def receive(**changes):
        given = {"search_space": {"source": "evil:space"}} | changes
        path = folder / "sent" / "tiny"
        path.mkdir(parents=True)
        claim(RunFolder(path), load_config(tiny(storage={"root": str(path.parent)}, **given)), tiny)
        # It was another account that claimed it.
        shutil.rmtree(folder / "state" / "nasray", ignore_errors=True)
        trust._OF_THIS_PROCESS.clear()
        return path

    return receive


def claim(run, config, tiny):
    """Make a folder a config's, without running the evil module to write down what it is."""
    run.claim(config, planned_inputs(load_config(tiny()), run), {})


def told_by(capsys, *arguments):
    """The exit code of a command and what it says of mistakes."""
    code = main([str(argument) for argument in arguments])
    return code, capsys.readouterr().err


def digest_in(told):
    """What --trust is to be given."""
    return re.search(r"--trust (\w{32})$", told.strip())[1]


@pytest.mark.parametrize("command", ACTING, ids=lambda command: command[0])
def test_code_that_a_received_run_names_does_not_run(received, folder, capsys, command):
    name, *rest = command
    code, told = told_by(capsys, name, received(), *rest)
    assert code == 2
    assert "it names evil:space (in " in told
    assert str(folder / "evil.py") in told
    assert str(folder / "helper.py") in told
    assert digest_in(told)
    assert not (folder / "flag").exists()


@pytest.mark.parametrize("command", ["rank", "report"])
def test_reading_tables_needs_no_trust_and_runs_no_code(received, folder, capsys, leave_ratings, command):
    run = received(budgets={})
    leave_ratings(
        run, digits((1, 8, 8), 10), lambda table: np.random.default_rng(0).uniform(size=(len(table), 2))
    )
    code, told = told_by(capsys, command, run)
    assert code == 0, told
    assert not (folder / "flag").exists()


def test_what_is_trusted_runs_from_then_on_until_it_changes(received, folder, capsys):
    run = received()
    digest = digest_in(told_by(capsys, "latency", run)[1])
    _, told = told_by(capsys, "latency", run, "--trust", "0" * 32)
    assert f"of the digest {digest}" in told
    assert not (folder / "flag").exists()
    _, told = told_by(capsys, "latency", run, "--trust", digest)
    assert "must define 'space'" in told  # so it was imported
    assert (folder / "flag").exists()
    assert "must define 'space'" in told_by(capsys, "latency", run)[1]
    for module in ("evil.py", "helper.py"):
        with (folder / module).open("a") as file:
            file.write("# changed\n")
        other = digest_in(told_by(capsys, "latency", run)[1])
        assert other != digest
        digest = other


def test_compiled_code_that_was_sent_along_is_not_run(received, folder, capsys):
    """Python would believe it for its time and size alone."""
    run = received()
    cached = importlib.util.cache_from_source(str(folder / "helper.py"))
    (folder / "helper.py").write_text(f"open('planted','w')#{' ' * 30}\n")
    times = (folder / "helper.py").stat()
    py_compile.compile("helper.py", cfile=cached)
    (folder / "helper.py").write_text("x = 1".ljust(times.st_size))
    os.utime("helper.py", ns=(times.st_atime_ns, times.st_mtime_ns))
    told_by(capsys, "latency", run, "--trust", digest_in(told_by(capsys, "latency", run)[1]))
    assert (folder / "flag").exists()
    assert not (folder / "planted").exists()


@pytest.mark.parametrize(
    "name", ["posix:system", "shutil:rmtree", "nasray.trainables.data.sources:gzip.os.system"]
)
def test_functions_that_are_there_already_are_asked_for_too(received, capsys, name):
    code, told = told_by(capsys, "latency", received(data={"source": name, "root": "anything"}))
    assert code == 2
    assert f"it names {name}, evil:space" in told or f"it names evil:space, {name}" in told


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"resources": {"address": "192.0.2.1:6379"}}, "resources.address 192.0.2.1:6379"),
        ({"tracking": {"uri": "http://192.0.2.1"}}, "tracking.uri http://192.0.2.1"),
    ],
)
def test_no_token_or_password_goes_to_where_a_received_run_says(received, capsys, changes, named):
    code, told = told_by(capsys, "refine", received(search_space={"source": "digits"}, **changes))
    assert code == 2
    assert f"it names {named};" in told


def test_a_run_that_names_nothing_needs_no_trust(received):
    RunFolder(received(search_space={"source": "digits"})).reopen()


def test_a_run_of_this_account_is_known_wherever_it_is_moved(folder, tiny):
    run = RunFolder(folder / "runs" / "tiny")
    run.path.mkdir(parents=True)
    claim(run, load_config(tiny(search_space={"source": "evil:space"})), tiny)
    shutil.move(run.path, folder / "elsewhere")
    trust._OF_THIS_PROCESS.clear()  # as in a later command
    RunFolder(folder / "elsewhere").reopen()
    noted = folder / "state" / "nasray" / "trusted"
    assert noted.parent.stat().st_mode & 0o777 == 0o700
    assert noted.stat().st_mode & 0o777 == 0o600
    noted.chmod(0o666)  # anybody may have written it
    with pytest.raises(ValueError, match="RUN must be one that this account started"):
        RunFolder(folder / "elsewhere").reopen()


def test_a_run_of_this_account_whose_config_somebody_changed_is_not_known(folder, tiny):
    run = RunFolder(folder / "runs" / "tiny")
    run.path.mkdir(parents=True)
    claim(run, load_config(tiny()), tiny)
    run.config.write_text(run.config.read_text().replace("source: declared", "source: evil:space"))
    with pytest.raises(ValueError, match="it names evil:space"):
        run.reopen()


def test_without_a_place_for_notes_a_search_goes_on(folder, tiny, monkeypatch):
    (folder / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "file"))
    run = RunFolder(folder / "runs" / "tiny")
    run.path.mkdir(parents=True)
    claim(run, load_config(tiny(search_space={"source": "evil:space"})), tiny)
    run.reopen()  # to export what it found
    trust._OF_THIS_PROCESS.clear()
    with pytest.raises(ValueError, match="RUN must be one that this account started"):
        run.reopen()
