import os
import shutil
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from nasray.search_spaces.artefacts import rating_table
from nasray.search_spaces.files.atomic_file import write_json


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


def _leave_ratings(folder, space, rate, swap_in=None):
    tables = {}
    for block in range(len(space.blocks)):
        table = space.candidate_table(block)
        batches = np.asarray(rate(table), np.float64)
        failed = np.isnan(batches).any(axis=1)
        table["rating"] = batches.mean(axis=1)
        table["rating_batches"] = [None if gone else row for gone, row in zip(failed, batches, strict=True)]
        if swap_in is not None:
            swapped = swap_in(table)
            table["swap_in"], table["swap_in_batches"] = swapped.mean(axis=1), list(swapped)
        table["failure"] = np.where(failed, "it failed", None)
        for cell, rows in table.groupby("cell"):
            name = f"ratings/block_{block}/{cell}.parquet"
            rating_table.write(rows, folder / name)
            tables[name] = len(rows)
    write_json(folder / "ratings" / "tables.json", tables)


@pytest.fixture(scope="session")
def leave_ratings():
    """Leaves made-up tables of ratings in a run's folder.

    `rate(table)` gives those of a block's candidates per held-out batch, [rows, B], NaN for one that failed, and
    `swap_in(table)` the second ones, if there are any.
    """
    return _leave_ratings
