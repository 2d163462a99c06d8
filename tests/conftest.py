import os
import shutil
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.engine import Engine


def pytest_configure(config):
    """Give each process of tests a Ray and notes of its own, whatever others, or the user, have started."""
    config.ray_folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # short, since sockets' paths must be
    os.environ["RAY_TMPDIR"] = config.ray_folder
    os.environ["XDG_STATE_HOME"] = config.ray_folder
    os.environ.pop("RAY_ADDRESS", None)
    os.environ["XDG_CACHE_HOME"] = str(Path(config.ray_folder) / "cache")


def pytest_unconfigure(config):
    shutil.rmtree(config.ray_folder, ignore_errors=True)


@event.listens_for(Engine, "connect")
def _do_not_wait_for_the_disk(connection, record):
    """MLflow's and Optuna's databases of tests need not outlive the machine: making one takes 1 s instead of 5."""
    if isinstance(connection, sqlite3.Connection):
        with suppress(sqlite3.DatabaseError):  # some tests give it what is no database
            connection.execute("PRAGMA synchronous=OFF")
