"""Ctrl-C and SIGTERM: both end a command in the same way, and neither in the middle of what must be whole."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def ended_by_sigterm() -> Iterator[list[int]]:
    """Within, SIGTERM ends a command as Ctrl-C does; yields a list that holds its number once it came.

    What waits in Ray's C++ may turn any exception of a handler into KeyboardInterrupt, so it is one from the start.
    """
    received: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        received.append(number)
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def interrupts_delayed() -> Iterator[None]:
    """Within, the first Ctrl-C or SIGTERM waits for the end; a second one, of a user who does not want to, does not."""
    handlers = {number: signal.getsignal(number) for number in _INTERRUPTS}
    # Only the main thread is interrupted, and only it may set handlers; what is no function ends nothing, or all.
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    if threading.current_thread() is not threading.main_thread() or not handlers:
        yield
        return
    waiting: list[int] = []

    def restore() -> None:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    def wait(number: int, frame: object) -> None:
        waiting.append(number)
        restore()

    for number in handlers:
        signal.signal(number, wait)
    try:
        yield
    finally:
        restore()
        for received in waiting:
            signal.raise_signal(received)
