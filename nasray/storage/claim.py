"""Identity of the process that holds a run."""

import json
import os
import platform
import secrets
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import psutil


@dataclass(frozen=True, slots=True)
class Claim:
    """Who works in a folder.

    Attributes:
        token: Tells this claim from all others.
        host: Name of the machine.
        machine: What tells it, as it has run since its start, from others that may bear the same name, and processes
            that see each other from those in another container.
        pid: The process.
        started: When it started, see `_started`, which tells it from a later one of the same number.
        since: When it began to work in the folder, as text.
    """

    token: str
    host: str
    machine: str
    pid: int
    started: int
    since: str

    @classmethod
    def mine(cls) -> Self:
        """A claim of this process."""
        return cls(
            token=secrets.token_hex(8),
            host=platform.node(),
            machine=_machine(),
            pid=os.getpid(),
            started=_started(os.getpid()),
            since=datetime.now(UTC).isoformat(" ", "seconds"),
        )

    @classmethod
    def parse(cls, text: str | bytes) -> Self | None:
        """The claim that `text` gave, if with more fields, of a later version; None where it is none."""
        try:
            found = json.loads(text)
            return cls(**{field.name: found[field.name] for field in fields(cls)})
        except (ValueError, TypeError, KeyError):
            return None

    @property
    def text(self) -> str:
        """The claim as JSON."""
        return json.dumps(asdict(self))

    @property
    def is_dead(self) -> bool:
        """Whether its process was one of this machine's and is no more."""
        if self.machine != _machine():
            return False
        try:
            return _started(self.pid) != self.started
        except ProcessLookupError:
            return True

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


def _started(pid: int) -> int:
    """When a process started, in ticks since the machine's start: no step of the clock moves that.

    Elsewhere than on Linux in seconds since 1970.

    Raises:
        ProcessLookupError: There is none.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return int(fields[19])  # the 22nd of all; the second, a name in brackets, may hold anything
    except OSError:
        try:
            return round(psutil.Process(pid).create_time())
        except psutil.NoSuchProcess as error:
            raise ProcessLookupError(pid) from error


def _machine() -> str:
    """What tells this machine, since its start, and this container's processes from others."""
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    try:
        return f"{boot.read_text(encoding='utf-8').strip()} {space.readlink()}"
    except OSError:  # not Linux
        return f"{platform.node()} {psutil.boot_time():.0f}"
