"""Folders of runs with made-up numbers, in the files and formats of real ones."""

import numpy as np
import pandas as pd
import pytest
import yaml

from nasray.analysis.counting.coverage import cover
from nasray.analysis.exact.ranking import top_architectures
from nasray.analysis.tables.ratings import load_ratings
from nasray.analysis.tables.sums import sum_columns
from nasray.analysis.trust.agreement import agreement
from nasray.search_spaces.artefacts import rating_table
from nasray.search_spaces.files.atomic_file import write_json

OPERATIONS = ("skip", "mb3k3", "mb6k5")
CELLS = (("2x8", "3x8"), ("2x16", "2x24"))
NUM_BATCHES = 4


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
            "study": None,
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

    def ratings(self, operations=OPERATIONS, *, swap_in=True):
        names, entry = {}, 1
        for block, cells in enumerate(CELLS):
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
        batches = ratings[:, np.newaxis] + self._rng.normal(0, 0.01, (len(texts), NUM_BATCHES))
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

    def study(self, arms=("plain", "k3"), seeds=3):
        rows = []
        for number, arm in enumerate(arms):
            for seed in range(seeds):
                self.search(f"sd_darts/s2/{arm}/seed_{seed}", 0.5 + number + 0.01 * seed)
                accuracy = 0.8 + 0.01 * seed + 0.05 * number
                unit = f"retrain/s2/{arm}/seed_{seed}"
                trained = {"architecture": "|skip_connect~0|", "test_accuracy": accuracy}
                write_json(self.path / "units" / unit / "retrained.json", trained)
                self.done(unit, [{"epoch": 1, "held_out_accuracy": accuracy, "seconds": 4.0}])
                rows.append(
                    {"space": "s2", "arm": arm, "seed": seed, "architecture": "|skip_connect~0|", "epoch": 2}
                    | {"test_accuracy": accuracy, "num_skips": 1.0, "alpha_eigenvalue": 0.5, "seconds": 6.0}
                    | {"gain": 0.05 * number}
                )
        pd.DataFrame(rows).to_parquet(self.path / "study.parquet", index=False)

    def everything(self):
        self.teacher()
        self.ratings()
        self.ranking()
        self.found()
        self.agreement()
        return self


@pytest.fixture
def new_run(tmp_path):
    """Begins a run's folder."""

    def begin(name="made_up", **changes):
        return RunWriter(tmp_path / "run", name, **changes)

    return begin


@pytest.fixture(scope="session")
def full_run(tmp_path_factory):
    """A folder with all that a DNA search beside an SD-DARTS search leaves, networks trained for real among it."""
    return RunWriter(tmp_path_factory.mktemp("runs") / "full").everything().path
