"""The processes of a local Ray, watched: nothing goes on without them, though Ray itself waits for minutes."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ray._private import ray_constants, worker

from nasray.errors import SearchFailedError

_PARTS = {
    ray_constants.PROCESS_TYPE_RAYLET: "raylet",
    ray_constants.PROCESS_TYPE_GCS_SERVER: "GCS",
}
_SECONDS_BETWEEN_LOOKS = 1.0
_GRACE_SECONDS = 10.0  # what waits in Ray's C++ for the part hears of nothing else


@contextmanager
def watched_parts() -> Iterator[None]:
    """Within, which the main thread is, the death of the local Ray's raylet or GCS ends the body.

    If it does not end soon, nor Ray with it, so does this process, with exit code 1.

    Raises:
        SearchFailedError: One of them died.
    """
    if threading.current_thread() is not threading.main_thread():  # only that one can be interrupted
        yield
        return
    over = threading.Event()
    died: list[str] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def watch() -> None:
        while not over.wait(_SECONDS_BETWEEN_LOOKS):
            if (part := _dead_part()) is not None:
                died.append(part)
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
                if not over.wait(_GRACE_SECONDS):
                    sys.stderr.write(f"nasray: {_sentence(part)}\n")
                    sys.stderr.flush()
                    os._exit(1)
                return

    before = signal.signal(signal.SIGUSR1, interrupt)
    threading.Thread(target=watch, name="ray_parts", daemon=True).start()
    try:
        yield
    except (Exception, KeyboardInterrupt):
        part = died[0] if died else _dead_part()
        if part is not None:
            raise SearchFailedError(_sentence(part)) from None
        raise
    finally:
        signal.signal(signal.SIGUSR1, before)
        over.set()


def _dead_part() -> str | None:
    """Which of the parts died, if one did."""
    node = worker._global_node
    dead = [kind for kind, _ in node.dead_processes()] if node is not None else []
    return next((name for kind, name in _PARTS.items() if kind in dead), None)


def _sentence(part: str) -> str:
    return (
        f"Ray's {part} on this machine died, killed or out of memory, without which nothing can run; what is "
        "done is kept, and the same command goes on from here"
    )
