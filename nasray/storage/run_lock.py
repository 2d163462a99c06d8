"""The lock of a run's folder: one launch at a time, on whatever machine it was started.

A launch leaves its claim, and refreshes it for as long as it lives. A claim whose process is gone from this very
machine counts for nothing at once, any other when it was not refreshed for long. Ages are differences between times
that the same disk or store wrote down, so that machines' clocks need not agree.
"""

import fcntl
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn, Protocol

from nasray.errors import UserError
from nasray.storage.claim import Claim

BEAT_SECONDS, STALE_SECONDS = 10.0, 120.0


class Lock(Protocol):
    """A place for claims.

    Attributes:
        place: Where, for messages.
    """

    place: str

    def take(self) -> None:
        """Leave this process's claim.

        Raises:
            UserError: Another one stands there.
        """

    def refresh(self) -> bool:
        """Show that the claim's process lives; whether the claim still stands."""

    def give(self) -> None:
        """Take the claim away."""


@contextmanager
def held(lock: Lock) -> Iterator[Callable[[], bool]]:
    """Hold the lock, refreshed in a thread; gives what tells whether it was lost.

    The main thread is interrupted when it is.

    Raises:
        UserError: Another process holds it, or took it over meanwhile, since this one had stood still for long.
    """
    lock.take()
    done, lost = threading.Event(), threading.Event()

    def refresh() -> None:
        while not done.wait(BEAT_SECONDS):
            with suppress(OSError):  # a disk or a store that is away for a while
                if not lock.refresh():
                    lost.set()
                    signal.pthread_kill(threading.main_thread().ident or 0, _interruption())
                    return

    thread = threading.Thread(target=refresh, name="run lock", daemon=True)
    thread.start()
    try:
        yield lost.is_set
    except KeyboardInterrupt:
        if not lost.is_set():
            raise
    finally:
        done.set()
        thread.join()
        if not lost.is_set():
            lock.give()
    if lost.is_set():
        raise UserError(
            f"{lock.place} must not be in use, but another nasray took it over, since this one had shown no life for "
            f"{STALE_SECONDS:.0f} s: wait for that one"
        )


def _interruption() -> signal.Signals:
    """What interrupts the main thread: a script's background jobs do not hear Ctrl-C, but SIGTERM."""
    ignored = signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None)
    return signal.SIGTERM if ignored else signal.SIGINT


def refuse_unless_gone(place: str, claim: Claim, age_seconds: float) -> None:
    """Let a claim of another launch be replaced where that is surely or most probably dead, and say so.

    Args:
        place: Where it stands.
        claim: The claim.
        age_seconds: Time since it was refreshed.

    Raises:
        UserError: Its process is, or may be, alive.
    """
    if claim.is_dead:
        reason = "that process is gone"
    elif age_seconds > STALE_SECONDS:
        reason = f"it has shown no life for {age_seconds:.0f} s"
    else:
        raise UserError(
            f"{place} must not be in use, but another nasray works in it ({claim}): wait for it; if it is surely dead, "
            f"start again in {STALE_SECONDS:.0f} s, when its claim has run out"
        )
    logging.getLogger(__name__).warning("%s is taken over from %s: %s", place, claim, reason)


class FileLock:
    """A lock in a folder, on a disk of this machine or one that machines share.

    The claim is a file that only one process can create. Who takes over a dead one's holds the system's lock of the
    folder while looking and replacing. A shared disk may have none such across machines: there the claim is moved
    aside, which only one can do, and looked at once more, so that what is taken away is what was judged.
    """

    def __init__(self, folder: Path) -> None:
        self.place = str(folder)
        self._file = folder / ".lock"
        self._claim = Claim.mine()

    def take(self) -> None:
        """Leave this process's claim.

        Raises:
            UserError: Another one stands there.
        """
        self._file.parent.mkdir(parents=True, exist_ok=True)
        own = self._file.with_name(f".lock.{self._claim.token}")
        try:
            own.write_text(self._claim.text, encoding="utf-8")
            with self._looking():
                if (claim := self._read()) is not None:
                    age = own.stat().st_mtime - self._file.stat().st_mtime
                    refuse_unless_gone(self.place, claim, age)
                self._take_away(claim)
                self._create(own)
        finally:
            own.unlink(missing_ok=True)

    def refresh(self) -> bool:
        """Show that the claim's process lives; whether the claim still stands."""
        if self._read() != self._claim:
            return False
        os.utime(self._file)
        return True

    def give(self) -> None:
        """Take the claim away."""
        with self._looking():
            if self._read() == self._claim:
                self._file.unlink()

    def _take_away(self, judged: Claim | None) -> None:
        """Take away the claim of a dead process, or what is none; never one that came since it was judged."""
        aside = self._file.with_name(f".lock.{self._claim.token}.aside")
        with suppress(FileNotFoundError):
            self._file.rename(aside)
            try:
                if self._read(aside) != judged:
                    self._create(aside)
                    self._refuse_newcomer()
            finally:
                aside.unlink()

    def _create(self, claim: Path) -> None:
        """Make a claim that lies beside the folder's, where there is none."""
        try:
            try:
                self._file.hardlink_to(claim)
            except FileExistsError:
                raise
            except OSError:  # a disk without links
                with self._file.open("x", encoding="utf-8") as file:
                    file.write(claim.read_text(encoding="utf-8"))
        except FileExistsError:
            self._refuse_newcomer()

    def _refuse_newcomer(self) -> NoReturn:
        raise UserError(
            f"{self.place} must not be in use, but another nasray works in it, which came in this instant"
        )

    def _read(self, file: Path | None = None) -> Claim | None:
        try:
            return Claim.parse((file or self._file).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """Within, no other process of this machine, or of the disk where that has locks, looks at the claim."""
        descriptor = os.open(self._file.parent, os.O_RDONLY)
        try:
            with suppress(OSError):  # a disk without locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
