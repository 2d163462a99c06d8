"""The released code of DNA that combines its blocks' ratings, run as it stands on synthetic ratings.

It reads them from files whose names it holds, which are made here, and prints what it found.
"""

import ast
import contextlib
import io
import itertools
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

_SCRIPT = "process_potential.py"


class ReleasedTraversal:
    """Its table of costs, and its search for the best architecture of five blocks.

    Attributes:
        limit: What the multiply-accumulates of the five blocks may come to, in thousands.
    """

    def __init__(self, folder: Path) -> None:
        """From a clone of the repository."""
        self._folder = folder / "searching"
        assigned: dict[str, ast.expr] = {}  # the last one of each name
        for node in ast.walk(ast.parse((self._folder / _SCRIPT).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                assigned[node.targets[0].id] = node.value
        self._costs = ast.literal_eval(assigned["flops_table"])
        self._files = [names[0] for names in ast.literal_eval(assigned["potential_yaml"])]
        others = sum(ast.literal_eval(part) for part in ast.unparse(assigned["other_param"]).split("+"))
        # Its comparison leaves out what just meets the limit, and all numbers are whole.
        self.limit = ast.literal_eval(assigned["target_constrain"]) - others - 1
        self._num_layers = (2, 4, 4, 4, 4)

    def tables(self, rng: np.random.Generator) -> list[pd.DataFrame]:
        """The blocks' candidates with their costs and synthetic ratings, in the precision that it keeps."""
        tables = []
        for costs, num_layers in zip(self._costs, self._num_layers, strict=False):
            paths = list(itertools.product(range(6), repeat=num_layers))
            macs = np.array(
                [sum(costs[layer][choice] for layer, choice in enumerate(path)) for path in paths]
            )
            size = (macs - macs.min()) / np.ptp(macs)
            rating = 0.6 * (1 - 0.3 * size + 0.1 * rng.standard_normal(len(paths)))
            names = ["".join(map(str, path)) for path in paths]
            kept = rating.astype(np.float16).astype(np.float64)
            tables.append(pd.DataFrame({"candidate": names, "rating": kept, "num_macs": macs}))
        return tables

    def search(self, tables: Sequence[pd.DataFrame], most_seconds: float) -> tuple[float | None, float]:
        """The score that it finds, None if it is not done in time, and how long it took."""
        with tempfile.TemporaryDirectory() as name:
            for file, table in zip(self._files, tables, strict=True):
                path = Path(name) / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(yaml.safe_dump({"cl_loss": table["rating"].tolist()}), encoding="utf-8")
            ours, theirs = multiprocessing.get_context("spawn").Pipe(duplex=False)
            process = multiprocessing.get_context("spawn").Process(
                target=_traverse, args=(self._folder, Path(name), theirs)
            )
            process.start()
            theirs.close()
            try:
                ready = ours.recv()
                assert ready == "ready"
                return ours.recv() if ours.poll(most_seconds) else (None, most_seconds)
            finally:
                process.kill()
                process.join()


def _traverse(folder: Path, place: Path, results: Connection) -> None:
    """Run it where its files lie."""
    sys.path.insert(0, str(folder))
    os.chdir(place)
    import process_potential  # type: ignore[import-not-found]  # noqa: PLC0415

    results.send("ready")
    printed = io.StringIO()
    start = time.perf_counter()
    with contextlib.redirect_stdout(printed):
        process_potential.main()
    seconds = time.perf_counter() - start
    results.send((float(printed.getvalue().splitlines()[-2]), seconds))  # before the architecture's cost
