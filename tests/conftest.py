import os
import shutil
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sqlalchemy import event
from sqlalchemy.engine import Engine

from nasray.analysis.counting.coverage import cover
from nasray.analysis.exact.ranking import top_architectures
from nasray.analysis.tables.ratings import load_ratings
from nasray.analysis.tables.sums import sum_columns
from nasray.analysis.trust.agreement import agreement
from nasray.search_spaces.artefacts import rating_table
from nasray.search_spaces.files.atomic_file import write_json

_OPERATIONS = ("skip", "mb3k3", "mb6k5")
_CELLS = (("2x8", "3x8"), ("2x16", "2x24"))
_NUM_BATCHES = 4


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


class RunWriter:
    """Writes a run part by part."""

    def __init__(self, path, name="made_up", **changes):
        self.path, self._rng = path, np.random.default_rng(0)
        path.mkdir(parents=True, exist_ok=True)
        config = {
            "name": name,
            "seed": 0,
            "data": {"source": "digits"},
            "search_space": {"source": "declared"},
            "searches": [{"method": "dna"}],
            "budgets": {},
        }
        (path / "config.yaml").write_text(yaml.safe_dump(config | changes), encoding="utf-8")
        environment = {
            "commit": "0123456789abcdef0123+",
            "seed": 0,
            "python": "3.11.7",
            "packages": {"torch": "2.14.1"},
            "machine": {
                "system": "Linux-on-a-host",
                "processor": "x86_64",
                "cpus": 2,
                "memory_bytes": 8 * 10**9,
            },
        }
        write_json(path / "environment.json", environment)

    @property
    def tables(self):
        return load_ratings(self.path)

    def done(self, unit, history):
        folder = self.path / ("teacher" if unit == "teacher" else f"units/{unit}")
        write_json(folder / "done.json", {"inputs": "0", "history": history})

    def teacher(self):
        write_json(self.path / "teacher" / "teacher.json", {"held_out_accuracy": 0.9625, "num_params": 5000})
        curve = [{"epoch": epoch, "held_out_accuracy": 0.9, "seconds": 1.5} for epoch in (1, 2)]
        self.done("teacher", [*curve, {"held_out_accuracy": 0.9625}])

    def ratings(self, operations=_OPERATIONS, *, swap_in=True):
        names, entry = {}, 1
        for block, cells in enumerate(_CELLS):
            for cell in cells:
                name = f"ratings/block_{block}/{cell}.parquet"
                frame = self._cell(cell, operations, entry if block == 0 else 8, swap_in)
                rating_table.write(frame, self.path / name)
                names[name] = len(frame)
                losses = [{"epoch": e, "held_out_relative_l1": 1 / e, "seconds": 2.0} for e in (1, 2, 3)]
                self.done(f"block_{block}/{cell}", losses)
        write_json(self.path / "ratings" / "tables.json", names)

    def _cell(self, cell, operations, in_channels, swap_in):
        depth, width = map(int, cell.split("x"))
        choices = np.array(np.meshgrid(*[operations] * depth)).reshape(depth, -1).T
        texts = [",".join(layers) for layers in choices]
        ratings = self._rng.uniform(0.2, 0.6, len(texts))
        batches = ratings[:, np.newaxis] + self._rng.normal(0, 0.01, (len(texts), _NUM_BATCHES))
        size = np.array([len(text) for text in texts])
        frame = pd.DataFrame(
            {
                "candidate": [f"{cell}:{text}" for text in texts],
                "cell": cell,
                "depth": depth,
                "width": width,
                "operations": texts,
                "in_channels": in_channels,
                "out_channels": 8 if width == 8 else width,
                "rating": batches.mean(axis=1),
                "rating_batches": list(batches),
                "num_params": 100 * size + self._rng.integers(0, 90, len(texts)),
                "num_macs": 1000 * size + self._rng.integers(0, 900, len(texts)),
                "failure": None,
            }
        )
        swapped = {"swap_in": frame["rating"] * 1.1, "swap_in_batches": [1.1 * row for row in batches]}
        missing = dict.fromkeys(swapped)
        return frame.assign(**(swapped if swap_in else missing))

    def ranking(self, top=50):
        ranking = top_architectures(self.tables, {}, top)
        covered = cover(self.tables)
        write_json(self.path / "ranking.json", ranking.attrs["certificate"] | covered.data())
        ranking.attrs.clear()
        ranking["share_better"] = (ranking["rank"] - 1) / covered.ranked.lower
        ranking["score_se"] = 0.0125
        ranking["top_probability"] = 0.5
        ranking["group"] = 1 + np.arange(len(ranking)) // 10
        ranking.to_parquet(self.path / "ranking.parquet", index=False)

    def found(self):
        row = top_architectures(self.tables, {}, 20).iloc[[-1]].drop(columns="rank")
        row = row.assign(
            search="sd_darts", epoch=2, num_better="19", num_better_at_most="19", within_budgets=True
        )
        row.to_parquet(self.path / "found.parquet", index=False)
        self.search("sd_darts", 0.5)

    def search(self, unit, eigenvalue):
        measured = {
            "alpha_eigenvalue": eigenvalue,
            "weight_noise_slope": 0.1,
            "discretization_gap": 0.2,
            "held_out_accuracy": 0.9,
        }
        history = [{"epoch": e, "alpha_entropy": 1 / e, "num_skips": 0.0, "seconds": 3.0} for e in (1, 2)]
        self.done(unit, [history[0], history[1] | measured])

    def agreement(self, num=12, seeds=2):
        every = top_architectures(self.tables, {}, 2000)["architecture"]
        chosen = every.iloc[np.linspace(0, len(every) - 1, num).astype(int)]
        rows = [self._trained(number, text, seeds) for number, text in enumerate(chosen)]
        networks = pd.DataFrame(rows)
        networks.to_parquet(self.path / "agreement.parquet", index=False)
        write_json(self.path / "agreement.json", agreement(networks, num_resamples=200))

    def _trained(self, number, architecture, seeds):
        sums = sum_columns(
            architecture, self.tables, ["rating", "swap_in", "num_params", "num_macs", "depth"]
        )
        accuracies = (0.99 - 0.1 * sums["rating"] + self._rng.normal(0, 0.002, seeds)).tolist()
        costs = {name: int(sums[name]) for name in ("num_params", "num_macs")}
        for seed, accuracy in enumerate(accuracies):
            unit = f"retrain/{number:012x}/seed_{seed}"
            trained = {"architecture": architecture, "seed": seed, "test_accuracy": accuracy}
            write_json(self.path / "units" / unit / "retrained.json", trained | costs)
            self.done(unit, [{"epoch": 1, "held_out_accuracy": accuracy, "seconds": 4.0}])
        return {
            "architecture": architecture,
            "group": "top" if number < 3 else "sample",
            "score": sums["rating"],
            "swap_in_score": sums["swap_in"],
            **costs,
            "depth": int(sums["depth"]),
            "accuracies": accuracies,
            "accuracy": float(np.mean(accuracies)),
            "stitched_accuracy": 0.9 - 0.2 * sums["rating"],
        }

    def comparison(self, arms=("plain", "k3"), seeds=3):
        """A comparison of SD-DARTS searches in the space s2, each with a folder of its own."""
        rows = []
        for number, arm in enumerate(arms):
            for seed in range(seeds):
                name = f"s2.{arm}_seed_{seed}"
                accuracy = 0.8 + 0.01 * seed + 0.05 * number
                RunWriter(self.path / name, name).search("sd_darts", 0.5 + number + 0.01 * seed)
                rows.append(
                    {"space": "s2", "arm": arm, "seed": seed, "column": name}
                    | {"architecture": "|skip_connect~0|", "num_params": 1000, "num_macs": 2000}
                    | {"accuracy": accuracy, "accuracies": [accuracy], "gain": 0.05 * number}
                    | {"cpu_seconds": 12.0, "num_unrated": 0, "num_skips": 1.0, "alpha_eigenvalue": 0.5}
                )
        write_json(self.path / "parts.json", {"parts": [row["column"] for row in rows]})
        pd.DataFrame(rows).astype({"seed": "Int64"}).to_parquet(self.path / "comparison.parquet", index=False)

    def everything(self):
        self.teacher()
        self.ratings()
        self.ranking()
        self.found()
        self.agreement()
        return self


@pytest.fixture
def new_run(tmp_path):
    """Begins a run's folder, whose numbers are made up, in the files and formats of a real one."""

    def begin(name="made_up", **changes):
        return RunWriter(tmp_path / "run", name, **changes)

    return begin


@pytest.fixture(scope="session")
def full_run(tmp_path_factory):
    """A folder with all that a DNA search beside an SD-DARTS search leaves, networks trained for real among it."""
    return RunWriter(tmp_path_factory.mktemp("runs") / "full").everything().path
