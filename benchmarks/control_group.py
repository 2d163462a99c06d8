"""Processes whose memory Linux limits, with what it keeps of the files that they read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOTS = ((Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"), (Path("/sys/fs/cgroup"), "memory.max"))


@contextmanager
def memory_limit(num_bytes: int) -> Iterator[Path]:
    """A file to which a process writes its id to be limited, and all that it starts from then on.

    Raises:
        OSError: This process may not make control groups.
    """
    root, limit = next((pair for pair in _ROOTS if pair[0].is_dir()), _ROOTS[-1])
    group = root / f"nasray_{os.getpid()}"
    group.mkdir()
    try:
        (group / limit).write_text(str(num_bytes))
        yield group / "cgroup.procs"
    finally:
        group.rmdir()
