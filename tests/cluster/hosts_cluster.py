"""The shipped cluster.yaml on hosts of our own: what a user changes in it, and the commands that a user gives."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from hosts import LAUNCHER, REPOSITORY, Host, running_hosts

NODES = ("head", "worker-1", "worker-2")
_START = "--num-cpus=1 --object-store-memory=200000000"  # three nodes share one machine
_SEARCH_FOLDER = "~/nasray-search"


@dataclass(frozen=True, slots=True)
class HostsCluster:
    """A cluster's hosts and the machine that commands them.

    Attributes:
        launcher: The user's own machine.
        nodes: The cluster's hosts, the head first.
        storage: The storage that all of them share, as this machine sees it.
        tell: Shown what is run and what it printed.
    """

    launcher: Host
    nodes: tuple[Host, ...]
    storage: Path
    tell: Callable[[str], None]

    def ray(self, line: str, *, code: int | None = 0) -> str:
        """What a command of Ray's prints on the launcher; it must end with the exit code, if one is given."""
        return self.on_launcher(f"ray {line}", code=code)

    def on_launcher(self, line: str, *, code: int | None = 0) -> str:
        """What a command prints on the launcher, in the checkout."""
        start = time.monotonic()
        self.tell(f"$ {line}")
        done = self.launcher.run(f"cd ~/checkout && {line}")
        self.tell(f"{done.stdout}[{done.returncode} after {time.monotonic() - start:.0f} s]")
        assert code is None or done.returncode == code, done.stdout
        return done.stdout

    def submit(self, arguments: str, *, code: int | None = 0) -> str:
        """What the search prints when it is submitted."""
        return self.ray(f"submit cluster.yaml nasray/launch.py {arguments}", code=code)

    @contextmanager
    def submitted(self, arguments: str, *, options: str = "") -> Iterator[subprocess.Popen[str]]:
        """The search while it runs; at the end the connection is dropped, if it is still there."""
        line = f"ray submit {options} cluster.yaml nasray/launch.py {arguments}"
        self.tell(f"$ {line}  (to be stopped)")
        with subprocess.Popen(
            self.launcher.command(f"cd ~/checkout && {line}"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as client:
            try:
                yield client
            finally:
                self.launcher.run("pkill -KILL -x ssh")
                client.communicate()

    def drivers(self) -> list[str]:
        """The process ids, on the head, of the searches that run there."""
        listed = self.nodes[0].run("pgrep -f '^python.* /root/launch.py'").stdout
        return listed.split()

    def ray_processes(self) -> list[str]:
        """All that is left of Ray on any host."""
        lines = (line for host in self.nodes for line in host.processes())
        return [line for line in lines if "ray::" in line or "/ray/" in line]


@contextmanager
def hosts_cluster(
    work: Path, searches: Path, tell: Callable[[str], None] = lambda text: None
) -> Iterator[HostsCluster]:
    """Hosts that `ray up` can make a cluster of, not yet up.

    Args:
        work: An empty folder.
        searches: The user's own folder of configs and modules, to be brought to all nodes.
        tell: Shown what is run and what it printed.
    """
    checkout = work / "checkout"
    _check_out(checkout)
    shutil.copytree(searches, checkout / "searches")
    with running_hosts([LAUNCHER, *NODES], work) as hosts:
        nodes = tuple(hosts[name] for name in NODES)
        edited = edited_cluster_file([node.address for node in nodes])
        (work / "cluster.yaml").write_text(edited)
        hosts[LAUNCHER].run("cp /mnt/work/cluster.yaml ~/checkout")
        yield HostsCluster(hosts[LAUNCHER], nodes, work / "shared", tell)


def edited_cluster_file(addresses: Sequence[str]) -> str:
    """cluster.yaml with what a user changes, and with less memory and fewer CPUs per node."""
    plain = _shipped()
    plain["provider"] |= {"head_ip": addresses[0], "worker_ips": list(addresses[1:])}
    plain["auth"]["ssh_user"] = "root"
    plain["file_mounts"][_SEARCH_FOLDER] = "searches"
    for commands in ("head_start_ray_commands", "worker_start_ray_commands"):
        plain[commands] = [line.replace("ray start", f"ray start {_START}") for line in plain[commands]]
    return yaml.safe_dump(plain, sort_keys=False)


def _shipped() -> dict:
    return yaml.safe_load((REPOSITORY / "cluster.yaml").read_text(encoding="utf-8"))


def _check_out(checkout: Path) -> None:
    """Copy what cluster.yaml brings to the nodes."""
    for source in map(Path, _shipped()["file_mounts"].values()):
        target = checkout / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (REPOSITORY / source).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / source, target, ignore=ignore, dirs_exist_ok=True)
        else:
            shutil.copy2(REPOSITORY / source, target)
    shutil.copy2(REPOSITORY / "tests" / "cluster" / "wait_for_nodes.py", checkout)
