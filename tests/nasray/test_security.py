"""What a search lets others see, and what files of others can make it do: nothing beyond this machine, and no code.

Hostile texts and tables are in test_hostile_inputs.py; tags of YAML in test_plain_yaml.py; pickles that pose as
checkpoints one by one in the tests of those who read them.
"""

import io
import json
import os
import pickle
import subprocess
import sys
import tempfile
from ipaddress import ip_address
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from nasray.analysis.runs.rank import rank_run
from nasray.run.environment import describe_environment
from nasray.search_spaces.chain.mbconv import digits
from nasray.settings.loading import load_config

# A search in a process of its own, since it starts a Ray of its own; prints where its processes listen meanwhile.
SEARCH = """
import json, os, sys, threading
from pathlib import Path
import psutil
from rich.console import Console
import nasray

found, names, leaks, ended = set(), set(), set(), threading.Event()
places, secrets = Path(os.environ["RAY_TMPDIR"]), {sys.argv[2].encode()}

def look_at_files():
    for path in places.rglob("*"):
        try:
            if path.is_file():
                names.add(path.name)
                content = path.read_bytes()
                if path.name == "token":  # and there alone
                    secrets.update([content] if content else [])
                elif any(secret in content for secret in secrets):
                    leaks.add(str(path))
            if path.name.startswith("nasray-") and path.stat().st_mode & 0o077:
                leaks.add(f"{path} is open to others")
        except OSError:  # it was removed meanwhile
            continue

def look():
    while not ended.wait(0.5):
        look_at_files()
        for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
            try:
                listening = [c for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
                name = process.name()
                tokens = secrets - {sys.argv[2].encode()}  # which stands in the arguments of this very process
                if any(token.decode() in " ".join(process.cmdline()) for token in tokens):
                    leaks.add(f"the arguments of {name}")
            except psutil.Error:  # it ended meanwhile
                continue
            found.update((name, c.laddr.ip) for c in listening)

watcher = threading.Thread(target=look, daemon=True)
watcher.start()
result = nasray.search(sys.argv[1], console=Console())
ended.set()
watcher.join()
told = {"listeners": sorted(found), "names": sorted(names), "leaks": sorted(leaks), "units": result.num_units_run}
print(json.dumps(told))
"""
SECRETS = {
    "MLFLOW_TRACKING_PASSWORD": "password-Wq7xB2",
    "AWS_SECRET_ACCESS_KEY": "key-Wq7xB2",
    "AWS_SESSION_TOKEN": "session-Wq7xB2",
    "MY_SERVICE_TOKEN": "token-Wq7xB2",
}
SECRET = b"Wq7xB2"
SHORT = {"retrain": {"top": 1, "sample": 0, "train": {"epochs": 1, "batch_size": 64}}, "resources": {}}

pytestmark = pytest.mark.timeout(
    600
)  # of the two searches here each takes half a minute where nothing else runs


class Evil:
    """Makes a folder where it is unpickled."""

    def __init__(self, flag):
        self.flag = flag

    def __reduce__(self):
        return os.mkdir, (str(self.flag),)


def search(config, folder, environment):
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return subprocess.run(
        [sys.executable, "-c", SEARCH, str(path), SECRET.decode()],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        check=False,
        cwd=folder,
        text=True,
    )


@pytest.fixture(scope="module")
def searched(tiny_in, tmp_path_factory):
    """A finished search with evidence, in an environment full of secrets, where a dead cluster's address was left.

    Its folder, what is left of Ray's, what it printed, and what it told at the end.
    """
    folder = tmp_path_factory.mktemp("security")
    with tempfile.TemporaryDirectory(
        prefix="ray"
    ) as ray_folder:  # short: the names of sockets may not be long
        leave_address(Path(ray_folder), "127.0.0.2:9")  # nothing listens at port 9
        done = search(tiny_in(folder, **SHORT), folder, SECRETS | {"RAY_TMPDIR": ray_folder})
        assert not done.returncode, done.stderr
        yield folder, Path(ray_folder), done, json.loads(done.stdout.splitlines()[-1])


def leave_address(place, address):
    """Leave the address of a cluster where Ray looks for it."""
    (place / "ray").mkdir(exist_ok=True)
    (place / "ray" / "ray_current_cluster").write_text(address)


def test_a_local_search_listens_on_this_machine_alone(searched):
    *_, told = searched
    listeners = told["listeners"]
    assert {"gcs_server", "raylet"} <= {name for name, _ in listeners}
    assert [listener for listener in listeners if not is_loopback(listener[1])] == []


def is_loopback(text):
    address = ip_address(text)
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def test_secrets_of_the_environment_are_written_nowhere(searched):
    folder, _, done, told = searched
    assert SECRET not in (done.stdout + done.stderr).encode()
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = {path.name for path in files} | set(told["names"])
    assert {"environment.json", "mlflow.db", "ranking.parquet", "report.html", "raylet.out", "token"} <= names
    assert [path for path in files if SECRET in path.read_bytes()] == []
    assert told["leaks"] == []


def test_a_dead_cluster_is_not_joined_and_nothing_is_left(searched):
    """Ray's own folder is that in which the address was left, and has nothing else."""
    _, ray_folder, done, _ = searched
    assert "ray_current_cluster names is not joined, nothing answers at 127.0.0.2:9" in done.stdout
    assert [path.name for path in ray_folder.rglob("*")] == ["ray", "ray_current_cluster"]


def test_of_the_environment_only_what_changes_results_is_recorded(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    recorded = describe_environment(seed=0)
    assert recorded["variables"]["OMP_NUM_THREADS"] == "3"
    assert SECRET.decode() not in json.dumps(recorded)


def test_no_file_of_a_run_can_run_code(searched, tmp_path, tiny_in):
    """All binary files and Tune's pickles replaced: nothing runs, what was damaged is moved aside and made anew."""
    folder, *_ = searched
    flag = tmp_path / "flag"
    plain = pickle.dumps(Evil(flag))
    with io.BytesIO() as file:
        torch.save({"inputs": Evil(flag), "method": Evil(flag), "history": []}, file)
        saved = file.getvalue()
    subprocess.run(["cp", "-r", str(folder / "runs"), str(tmp_path)], check=True)
    tiny = tmp_path / "runs" / "tiny"
    replaced = 0
    for path in (tmp_path / "runs").rglob("*"):
        binary = path.suffix in (".safetensors", ".npy", ".parquet", ".pkl", ".pt") or "tune" in path.parts
        if path.is_file() and binary:
            path.write_bytes(saved if path.suffix == ".pt" else plain)
            replaced += 1
    for unit in (tiny / "units").rglob("done.json"):
        unit.unlink()
        (unit.parent / "last.pt").write_bytes(saved)
    assert replaced > 10
    with pytest.raises(ValueError, match="ratings"):
        rank_run(tiny, {}, 10)
    done = search(tiny_in(tmp_path, **SHORT), tmp_path, {"RAY_ADDRESS": "local"})
    assert not done.returncode, done.stderr
    assert list(tiny.rglob("last.pt.damaged")), "no checkpoint was looked at"
    ranking = folder / "runs" / "tiny" / "ranking.parquet"
    assert (tiny / "ranking.parquet").read_bytes() == ranking.read_bytes()
    assert not flag.exists()
    pickle.loads(plain)
    assert flag.exists()


@pytest.mark.parametrize("name", ["../x", "/x", "x/../../y", "..", ".x", "x\n", "x/y", "", "~"])
def test_a_runs_name_cannot_leave_the_storage(tiny, name):
    with pytest.raises(ValueError, match="name"):
        load_config(tiny(name=name))


@pytest.mark.parametrize("name", ["../x", "/x", "..", "x/y", ""])
@pytest.mark.parametrize("part", ["arms", "spaces"])
def test_no_name_in_a_comparison_can_leave_the_run(tiny, name, part):
    names = {"arms": {"plain": {}}} | {part: {name: {} if part == "arms" else {"source": "nasbench201"}}}
    search = {"method": "sd_darts"}
    with pytest.raises(ValueError, match=part):
        load_config(tiny(searches=[search], teacher=None, comparison={"seeds": [0], **names}))


@pytest.mark.parametrize("name", ["/etc/passwd", "../other/ratings/block_0/2x16.parquet"])
def test_a_table_of_ratings_lies_in_its_run(tmp_path, leave_ratings, name):
    rng = np.random.default_rng(0)
    for run in ("run", "other"):
        leave_ratings(tmp_path / run, digits((1, 8, 8), 10), lambda table: rng.uniform(size=(len(table), 2)))
    tables = tmp_path / "run" / "ratings" / "tables.json"
    rows = json.loads(tables.read_text())
    (tmp_path / "run" / "ratings" / "block_0" / "2x16.parquet").unlink()
    number = rows.pop("ratings/block_0/2x16.parquet")
    tables.write_text(json.dumps({**rows, name: number}))
    with pytest.raises(ValueError, match="must have a table of ratings"):
        rank_run(tmp_path / "run", {}, 10)
