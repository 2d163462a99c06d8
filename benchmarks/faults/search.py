"""The smallest search, run as a user runs it, in a process of its own that may be disturbed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

_SPACE = {
    "source": "declared",
    "stem": [{"operation": "conv3", "width": 8}],
    "blocks": [
        {
            "stride": 2,
            "operations": ["skip", "mb3k3"],
            "cells": [{"depth": 2, "width": 8}, {"depth": 1, "width": 12}],
        },
        {"stride": 2, "operations": ["skip", "sep3", "mb3k3"], "cells": [{"depth": 2, "width": 16}]},
    ],
}
_CONFIG: dict[str, Any] = {
    "name": "tiny",
    "data": {"source": "digits", "num_train_images": 512, "num_held_out_images": 64},
    "teacher": {
        "source": "largest",
        "train": {"epochs": 4, "batch_size": 64, "optimizer": "adamw", "lr": 0.01},
    },
    "search_space": _SPACE,
    "features": {"mode": "cached", "shard_rows": 200},
    "searches": [
        {
            "method": "dna",
            "epochs": 12,
            "batch_size": 32,
            "rating": {"num_batches": 4, "calibration_images": 64, "calibration_batch_size": 32},
        }
    ],
    "retrain": None,
    # One unit at a time, so that it is known whose work a fault destroys; a Ray of its own.
    "resources": {"address": "local", "max_concurrent": 1, "max_failures": 50},
}
_TIMEOUT_SECONDS = 600.0


class SurvivalError(AssertionError):
    """The search did not get over a fault."""


class Search:
    """A search in a storage folder of its own, started as often as need be with the same command.

    Args:
        folder: Its storage.
        changes: Sections of the config that differ.
        environment: Variables of its processes beside our own.
    """

    def __init__(
        self,
        folder: Path,
        changes: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.run = folder, folder / "runs" / "tiny"
        folder.mkdir(parents=True, exist_ok=True)
        storage = {"root": str(folder / "runs")}
        self._config = folder / "tiny.yaml"
        self._config.write_text(json.dumps({**_CONFIG, "storage": storage, **(changes or {})}))
        self._environment = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
        self._environment.pop("RAY_ADDRESS", None)
        self._log = folder / "output.txt"
        self._process: psutil.Popen | None = None

    def __enter__(self) -> "Search":
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def start(self, *arguments: str) -> None:
        """Start the command."""
        command = [sys.executable, "-m", "nasray.cli", "search", str(self._config), *arguments]
        with self._log.open("a") as log:
            self._process = psutil.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=self._environment)

    def finish(self, *, succeeds: bool = True) -> None:
        """Wait for its end.

        Raises:
            SurvivalError: It failed, or did not where it should, or showed a traceback.
        """
        assert self._process is not None
        code = self._process.wait(_TIMEOUT_SECONDS)
        if (code == 0) != succeeds or "Traceback" in self.output:
            raise SurvivalError(f"the search ended with {code}:\n{self.output[-3000:]}")

    def complete(self, *arguments: str) -> None:
        """Start the command and wait for its success."""
        self.start(*arguments)
        self.finish()

    def kill(self) -> None:
        """SIGKILL to the command, as a machine that runs out of memory sends it; the Ray it started goes with it."""
        if self._process is None or not self._process.is_running():
            return
        below = self._process.children(recursive=True)
        self._process.kill()
        self._process.wait()
        _, alive = psutil.wait_procs(below, timeout=20)
        for process in alive:
            process.kill()

    def trials(self) -> list[psutil.Process]:
        """The processes in which units run now."""
        assert self._process is not None
        return [process for process in self._process.children(recursive=True) if _is_trial(process)]

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds of what the search has left so far.

        Raises:
            SurvivalError: It ended before.
        """
        assert self._process is not None
        while not condition():
            if self._process.poll() is not None:
                raise SurvivalError(f"the search ended before it could be disturbed:\n{self.output[-3000:]}")
            time.sleep(0.02)

    def wait_for_progress(self, since: float) -> None:
        """Wait until an epoch or a unit ended after a time, or the command."""
        while self.is_running and max(self._progress(), default=0.0) <= since:
            time.sleep(0.02)

    @property
    def is_running(self) -> bool:
        """Whether the command has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def output(self) -> str:
        """What all launches printed."""
        return self._log.read_text()

    @property
    def ranking(self) -> bytes:
        """The ranking's file."""
        return (self.run / "ranking.parquet").read_bytes()

    def checkpoints(self) -> list[Path]:
        """The checkpoints of cells that are being trained."""
        return list(self.run.glob("units/block_*/*/last.pt"))

    def done(self) -> dict[Path, int]:
        """The markers of finished units, with the times at which they were written."""
        markers = [*self.run.glob("teacher/done.json"), *self.run.glob("units/**/done.json")]
        return {path: path.stat().st_mtime_ns for path in markers}

    def seconds_at_risk(self, last_fault: float = 0.0) -> float:
        """The work that a kill destroys: the time since an epoch or a unit ended, the start, or the fault before."""
        assert self._process is not None
        return time.time() - max([last_fault, self._process.create_time(), *self._progress()])

    def _progress(self) -> Iterator[float]:
        for path in self.run.rglob("*"):
            if path.name in ("last.pt", "done.json"):
                try:
                    yield path.stat().st_mtime
                except FileNotFoundError:
                    continue


def damage(path: Path, position: int) -> None:
    """Flip a bit of a file."""
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1
    path.write_bytes(content)


def send(process: psutil.Process, number: signal.Signals = signal.SIGKILL) -> bool:
    """Send a signal to a process; whether it was still there."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


def _is_trial(process: psutil.Process) -> bool:
    try:
        return any("ImplicitFunc.train" in word for word in process.cmdline())
    except psutil.NoSuchProcess:
        return False
