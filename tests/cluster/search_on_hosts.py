"""A search on three hosts of our own, from `ray up` to `ray down`, stopped thrice on its way, and what it must leave.

    python tests/cluster/search_on_hosts.py [CONFIG a.b=value ...]

As root, with openssh-server, rsync and iproute2 installed. CONFIG and overrides are those of `ray submit`; the default
is the README's worked example, with its own operation and teacher, in a few epochs.
"""

import re
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from hosts import REPOSITORY
from hosts_cluster import HostsCluster, hosts_cluster

EXAMPLE = (
    "my_search.yaml",
    "searches.0.epochs=4",
    "teacher.train.epochs=3",
    "retrain.top=1",
    "retrain.sample=3",
    "retrain.train.epochs=2",
)
_BLOCK = re.compile(r"```\w+\n(.*?)```", re.DOTALL)


def search_on_hosts(
    work: Path, arguments: Sequence[str] = EXAMPLE, tell: Callable[[str], None] = lambda text: None
) -> None:
    """Go through all of it; an AssertionError tells what is not as it must be."""
    searches = work / "searches"
    _write_example(searches)
    line = " ".join(arguments)
    with hosts_cluster(work, searches, tell) as cluster:
        cluster.ray("up -y cluster.yaml")
        cluster.ray(f"submit cluster.yaml wait_for_nodes.py {len(cluster.nodes)}")
        assert f" {len(cluster.nodes)} local.cluster.node" in cluster.ray("exec cluster.yaml 'ray status'")
        _keeps_other_accounts_out(cluster)
        _refuses_a_folder_of_one_host(cluster, line)
        _survives_a_lost_connection(cluster, line)
        _outlives_its_connection(cluster, line)
        _ends_by_sigterm(cluster, line)
        told = cluster.submit(line)
        run = _run_folder(cluster.storage)
        assert "Run folder: /mnt/nasray/" + run.name in told
        _ran_everywhere(cluster, run)
        _tracked_all(cluster, work, run)
        _shows_a_terminal(cluster)
        if find_spec("aiohttp_cors"):
            _takes_a_job(cluster, line)
        else:
            tell(
                "`ray job submit` is not tried, for want of Ray's dashboard: make install EXTRAS=dev,cluster"
            )
        cluster.ray("down -y cluster.yaml")
        tell("The same search on the first host alone:")
        alone = cluster.nodes[0].run(
            f"python ~/launch.py {line} storage.root=/mnt/work/alone resources.address=local"
        )
        assert alone.returncode == 0, alone.stdout
        _same_files(run, _run_folder(work / "alone"))
        tell("Its results are those of the cluster, byte for byte.")
        _wait_until(lambda: not cluster.ray_processes(), 180, "Ray processes must end with `ray down`")
        tell("No Ray process is left on any host.")


def _write_example(folder: Path) -> None:
    """The README's worked example as a user's own folder."""
    folder.mkdir()
    texts = _BLOCK.findall((REPOSITORY / "README.md").read_text(encoding="utf-8"))
    for name, mark in (("my_search.py", "def dilated"), ("my_search.yaml", "name: my_search")):
        (text,) = [text for text in texts if mark in text]
        (folder / name).write_text(text)


def _keeps_other_accounts_out(cluster: HostsCluster) -> None:
    """Neither Ray's folder nor its token is open to them, on any host."""
    for node in cluster.nodes:
        assert node.run("stat -c %a ~/.nasray ~/.ray/auth_token").stdout.split() == ["700", "600"]
        assert node.run("ls ~/.nasray/ray; ls /tmp/ray").stdout.count("session_latest") == 1


def _refuses_a_folder_of_one_host(cluster: HostsCluster, line: str) -> None:
    told = cluster.submit(f"{line} storage.root=/tmp/not_shared", code=1)
    for node in cluster.nodes[1:]:
        assert f"{node.address}: storage.root must be a folder that all nodes share" in told
    assert "Traceback" not in told


def _survives_a_lost_connection(cluster: HostsCluster, line: str) -> None:
    """The search ends with the terminal that it was started in, and leaves what it has done."""
    with cluster.submitted(line) as client:
        _wait_until(lambda: _trained(cluster.storage) or client.poll() is not None, 300, "a cell must train")
        assert client.poll() is None
    _wait_until(lambda: not cluster.drivers(), 60, "the search must end with its terminal")
    assert not list(cluster.storage.glob("*/ranking.parquet"))


def _outlives_its_connection(cluster: HostsCluster, line: str) -> None:
    """In tmux the search goes on, until it is told to end there."""
    with cluster.submitted(line, options="--tmux") as client:
        _wait_until(lambda: cluster.drivers() or client.poll() is not None, 60, "the search must start")
        assert client.poll() is None
    before = len(_done(cluster.storage))
    _wait_until(lambda: len(_done(cluster.storage)) > before, 300, "one more unit must be done")
    seen = "sleep 12 | timeout 12 script -qec 'ray attach --tmux cluster.yaml' /dev/null"
    assert " units done" in cluster.on_launcher(seen, code=None)
    cluster.nodes[0].run("tmux send-keys C-c")
    _wait_until(lambda: not cluster.drivers(), 60, "Ctrl-C must end the search")


def _ends_by_sigterm(cluster: HostsCluster, line: str) -> None:
    """One line, no stack, and exit code 143, of which `ray submit` makes 1."""
    with cluster.submitted(line) as client:
        before = len(_done(cluster.storage))
        _wait_until(lambda: len(_done(cluster.storage)) > before, 300, "one more unit must be done")
        (driver,) = cluster.drivers()
        cluster.nodes[0].run(f"kill -TERM {driver}")
        told, _ = client.communicate(timeout=60)
    assert client.returncode == 1
    assert "nasray: interrupted; the same command goes on from here" in told
    assert "Traceback" not in told
    assert "SIGTERM received" not in told


def _ran_everywhere(cluster: HostsCluster, run: Path) -> None:
    """Each host ran some of the trials."""
    told = "".join(path.read_text() for path in run.glob("tune/*/experiment_state-*.json"))
    addresses = set(re.findall(r'node_ip\\*": \\*"([\d.]+)', told))
    assert addresses == {node.address for node in cluster.nodes}


def _tracked_all(cluster: HostsCluster, work: Path, run: Path) -> None:
    """MLflow holds a finished run for each unit that trains, and one for the result."""
    cluster.nodes[0].run("cp ~/nasray-mlflow.db /mnt/work")
    with sqlite3.connect(work / "nasray-mlflow.db") as database:
        runs = dict(database.execute("SELECT name, status FROM runs WHERE lifecycle_stage = 'active'"))
    assert set(runs.values()) == {"FINISHED"}
    done = {path.parent.relative_to(run / "units").as_posix() for path in _done(run.parent)}
    trained = {name for name in done if name.startswith(("block", "retrain", "sd_darts"))} | {"teacher"}
    tracked = {name.removeprefix(f"{run.name}/") for name in runs if "/result/" not in name}
    assert tracked == trained, f"tracked: {sorted(tracked)}, trained: {sorted(trained)}"
    assert any("/result/" in name for name in runs)


def _shows_a_terminal(cluster: HostsCluster) -> None:
    """`ray attach` gives one on the first host, in which nasray is there."""
    typed = r"printf 'hostname; nasray --version; exit\n'"
    told = cluster.on_launcher(f"{typed} | script -qec 'ray attach cluster.yaml' /dev/null")
    assert "\nhead\nnasray " in told


def _takes_a_job(cluster: HostsCluster, line: str) -> None:
    """`ray job submit`, as the README has it, of the same search, which finds all done."""
    cluster.on_launcher("mkdir -p job/nasray && cp searches/* job && cp nasray/launch.py job/nasray")
    cluster.ray("rsync-down cluster.yaml '~/.ray/auth_token' ~/.nasray_token")
    cluster.on_launcher("(ray dashboard cluster.yaml > ~/dashboard.log 2>&1 &)")
    _wait_until(lambda: "8265" in cluster.launcher.run("ss -ltn").stdout, 60, "the port must be forwarded")
    told = cluster.on_launcher(
        "RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=~/.nasray_token ray job submit "
        f"--address http://localhost:8265 --working-dir job -- python nasray/launch.py {line}"
    )
    assert " 0 units run in " in told
    assert re.search(r"Job 'raysubmit_\w+' succeeded", told)


def _same_files(one: Path, other: Path) -> None:
    """All tables are the same, byte for byte."""
    tables = sorted(path.relative_to(one) for path in one.rglob("*.parquet"))
    assert Path("ranking.parquet") in tables
    assert tables == sorted(path.relative_to(other) for path in other.rglob("*.parquet"))
    for name in tables:
        assert (one / name).read_bytes() == (other / name).read_bytes(), f"{name} differs"
    for name in ("report.html", "ranking.json", "environment.json", "config.yaml", "teacher/teacher.json"):
        assert (one / name).is_file(), f"{name} is missing"


def _run_folder(storage: Path) -> Path:
    (config,) = storage.glob("*/config.yaml")
    return config.parent


def _trained(storage: Path) -> list[Path]:
    return list(storage.glob("*/units/block_*/*/last.pt"))


def _done(storage: Path) -> list[Path]:
    return list(storage.glob("*/units/**/done.json"))


def _wait_until(happened: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="nasray-hosts-") as folder:
        start, tell = time.monotonic(), partial(print, flush=True)
        search_on_hosts(Path(folder), sys.argv[1:] or EXAMPLE, tell)
        tell(f"All is as it must be, after {time.monotonic() - start:.0f} s")
