"""Who says that it works in a folder: a process, on a machine, since some time."""

import json
import os
import platform
import secrets
from dataclasses import asdict, dataclass
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
        started: When it started, in seconds since 1970, which tells it from a later one of the same number.
        since: When it began to work in the folder, as text.
    """

    token: str
    host: str
    machine: str
    pid: int
    started: float
    since: str

    @classmethod
    def mine(cls) -> Self:
        """A claim of this process."""
        return cls(
            token=secrets.token_hex(8),
            host=platform.node(),
            machine=_machine(),
            pid=os.getpid(),
            started=psutil.Process().create_time(),
            since=datetime.now(UTC).isoformat(" ", "seconds"),
        )

    @classmethod
    def parse(cls, text: str | bytes) -> Self | None:
        """The claim that `text` gave; None where it is none."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
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
            return abs(psutil.Process(self.pid).create_time() - self.started) > 1
        except psutil.NoSuchProcess:
            return True

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


def _machine() -> str:
    """What tells this machine, since its start, and this container's processes from others."""
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    try:
        return f"{boot.read_text(encoding='utf-8').strip()} {space.readlink()}"
    except OSError:  # not Linux
        return f"{platform.node()} {psutil.boot_time():.0f}"
