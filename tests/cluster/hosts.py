"""Hosts of our own on one machine: each with an address, processes, files and an SSH server apart from all others.

A host is a set of Linux namespaces (network, processes, mounts, name, shared memory). Their network is a bridge in a
namespace of its own, from which nothing leads outside. All ends when the context does: with the first process of a
process namespace all others in it die.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
LAUNCHER = "launcher"
_GATEWAY = "10.77.0.254"


@dataclass(frozen=True, slots=True)
class Host:
    """A running host.

    Attributes:
        name: Its host name.
        address: Its IP address.
        pid: Its first process, as this machine sees it.
    """

    name: str
    address: str
    pid: int

    def command(self, line: str) -> list[str]:
        """The command that runs a line of bash on the host, as a login of root's would."""
        enter = ["nsenter", "--all", "--target", str(self.pid), "--wd=/root", "env", "-i"]
        plain = ["HOME=/root", "USER=root", "LOGNAME=root", "TERM=xterm", "LANG=C.UTF-8"]
        return [*enter, *plain, "bash", "--login", "-c", f"source ~/.bashrc; {line}"]

    def run(self, line: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a line of bash on the host; its errors stand in its output."""
        return subprocess.run(
            self.command(line),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )

    def processes(self) -> list[str]:
        """The command lines of all its processes."""
        namespace = Path(f"/proc/{self.pid}/ns/pid").readlink()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "ns" / "pid").readlink() == namespace:
                    found.append((process / "cmdline").read_text().replace("\0", " ").strip())
            except OSError:  # it ended meanwhile
                continue
        return found


@contextmanager
def running_hosts(names: Sequence[str], work: Path) -> Iterator[dict[str, Host]]:
    """Hosts by name; the one named "launcher" holds the checkout and the key instead of an SSH server.

    Args:
        names: Their names.
        work: A folder that all of them see at /mnt/work; its `checkout` is the launcher's, its `shared` is seen at
            /mnt/nasray as well.
    """
    (work / "shared").mkdir(parents=True, exist_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", work / "key"], check=True)
    with ExitStack() as stack:
        network = _start(stack, ["unshare", "--net", "--fork", "--kill-child", "sleep", "infinity"])
        _in(
            network,
            "ip link add bridge type bridge",
            f"ip addr add {_GATEWAY}/24 dev bridge",
            "ip link set bridge up",
        )
        hosts = {}
        for number, name in enumerate(names, 1):
            hosts[name] = _start_host(stack, network, name, number, work)
        for name in names:
            _wait_for(work / f"{name}.ready")
        yield hosts


def _start_host(stack: ExitStack, network: int, name: str, number: int, work: Path) -> Host:
    """Start a host's first process and plug it into the network."""
    spaces = ["--net", "--pid", "--mount", "--uts", "--ipc", "--fork", "--mount-proc", "--kill-child"]
    role = LAUNCHER if name == LAUNCHER else "node"
    script = [HERE / "host.sh", name, work, REPOSITORY, sys.prefix, sys.base_prefix, role]
    pid = _start(stack, ["unshare", *spaces, *map(str, script)])
    address = f"10.77.0.{number}"
    _in(
        network,
        f"ip link add to_{number} type veth peer name eth0 netns {pid}",
        f"ip link set to_{number} master bridge up",
    )
    _in(
        pid,
        "ip link set lo up",
        f"ip addr add {address}/24 dev eth0",
        "ip link set eth0 up",
        f"ip route add default via {_GATEWAY}",  # which leads nowhere; Ray finds its own address by it
    )
    return Host(name, address, pid)


def _start(stack: ExitStack, command: Sequence[str]) -> int:
    """Start a namespace's first process, to end with the stack or with this process; returns its process id."""
    process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.kill)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if (found := children.read_text().split()) and _has_ns(process.pid, int(found[0])):
            return int(found[0])
        time.sleep(0.02)
    raise RuntimeError(f"a namespace did not start: {' '.join(command)}")


def _has_ns(parent: int, child: int) -> bool:
    """Whether the child's namespaces are there already."""
    return Path(f"/proc/{child}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()


def _in(pid: int, *lines: str) -> None:
    """Run commands in a process's network."""
    for line in lines:
        subprocess.run(["nsenter", "--net", "--target", str(pid), *line.split()], check=True)


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        if time.monotonic() > deadline:
            raise RuntimeError(f"a host did not start: {path} is missing")
        time.sleep(0.05)
