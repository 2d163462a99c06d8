"""Ends of the process that a user's code asks for, as errors that have a place in that code."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ExitedError(RuntimeError):
    """Code that a unit runs asked for the end of the process."""


@contextmanager
def exits_as_errors() -> Iterator[None]:
    """Within, `os._exit` raises in this thread, and `sys.exit` leaves as an error, too.

    Raises:
        ExitedError: One of them was called.
    """
    here, leave = (os.getpid(), threading.get_ident()), os._exit

    def refuse(status: int) -> None:
        if (os.getpid(), threading.get_ident()) != here:  # a process that this one forked, or Ray's threads
            leave(status)
        raise ExitedError(f"os._exit({status}) was called")

    os._exit = refuse  # type: ignore[assignment]
    try:
        yield
    except SystemExit as error:
        raise as_error(error) from None
    finally:
        os._exit = leave


def as_error(error: SystemExit) -> ExitedError:
    """The error that `sys.exit` was called, with the place where."""
    return ExitedError(f"sys.exit({error.code!r}) was called").with_traceback(error.__traceback__)
