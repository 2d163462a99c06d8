"""Time to the best architectures, against an integer program and the released traversal.

DNA's full space with synthetic ratings (see `ranking.py`), two and three budgets, and 80 blocks of 54 candidates with
three. HiGHS, through scipy, solves the same question as an integer program: a variable for each row of the tables, one
row a block, widths that meet, sums within the budgets. Its best ten come from cuts, each of which forbids a solution
that was found. Ours finds the best one and the best thousand, with a proof.

The traversal is the released code's own (github.com/changlin31/DNA, `process_potential.py`), run as it stands, on its
table of multiply-accumulates; its ratings were not released, so that these are synthetic. It finds one architecture.

    python benchmarks/ranking_peers.py [--reference REFERENCE] [--rounds 5] [--seconds 60]
"""

import argparse
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from ranking import LONG, THREE, TWO, dna_tables, long_tables
from released_traversal import ReleasedTraversal
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, vstack
from verdicts import Verdict, tell

from nasray.analysis.exact.ranking import top_architectures

CUTS = 10
Tables = Sequence[pd.DataFrame]


def main() -> None:
    """Print a row per instance, and one for the traversal."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reference", type=Path, default=os.environ.get("NASRAY_REFERENCE"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=60, help="the most that a search of the program may take"
    )
    arguments = parser.parse_args()
    dna = dna_tables()
    print(
        f"{'':20}{'best: HiGHS s':>14}{'ours s':>9}{'ratio':>8}{f'best {CUTS}: HiGHS s':>19}{'best 1000: ours s':>19}"
    )
    compare("DNA, 2 budgets", dna, TWO, arguments.rounds, arguments.seconds)
    compare("DNA, 3 budgets", dna, THREE, arguments.rounds, arguments.seconds)
    compare("80 x 54, 3 budgets", long_tables(), LONG, 1, arguments.seconds)
    if arguments.reference is None:
        print("The traversal is not run: give the folder of the repository by --reference, see --help.")
    else:
        compare_traversal(ReleasedTraversal(arguments.reference / "DNA"), arguments.rounds, arguments.seconds)


def compare(
    name: str, tables: Tables, budgets: Mapping[str, float], rounds: int, most_seconds: float
) -> None:
    """Print how long both take for the best of an instance, and for the best ones."""
    seconds: dict[str, list[float]] = {key: [] for key in ("theirs", "ours", "theirs, ten", "ours, all")}
    for _ in range(rounds):
        program = IntegerProgram(tables, budgets)
        start = time.perf_counter()
        theirs, proved = program.best(most_seconds)
        seconds["theirs"].append(time.perf_counter() - start)
        for _ in range(CUTS - 1):
            proved = proved and program.best(most_seconds)[1]
        seconds["theirs, ten"].append(time.perf_counter() - start if proved else np.inf)
        for key, number in (("ours", 1), ("ours, all", 1000)):
            start = time.perf_counter()
            best = top_architectures(tables, budgets, number, time_limit_seconds=most_seconds)
            seconds[key].append(
                time.perf_counter() - start if best.attrs["certificate"]["proved"] else np.inf
            )
    same = abs(theirs - best["score"].iloc[0]) < 1e-6 * abs(theirs)
    one, ours, ten, thousand = (
        statistics.median(seconds[key]) for key in ("theirs", "ours", "theirs, ten", "ours, all")
    )
    print(
        f"{name:20}{one:>14.2f}{ours:>9.2f}{ours / one:>8.3f}{ten:>19.1f}{thousand:>19.2f}"
        + ("" if same else f"  scores differ: {theirs} and {best['score'].iloc[0]}"),
        flush=True,
    )
    tell(Verdict(f"best of {name} against HiGHS", f"{ours:.2f} s", f"{one:.2f} s", ours / one, 1))


class IntegerProgram:
    """The question for the best architecture, and for the next best, as an integer program."""

    def __init__(self, tables: Tables, budgets: Mapping[str, float]) -> None:
        self._blocks = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
        self._ratings = np.concatenate([table["rating"] for table in tables])
        one_each = [(self._blocks == block) for block in range(len(tables))]
        meet = [row for block in range(len(tables) - 1) for row in self._meetings(tables, block)]
        costs = [np.concatenate([table[name] for table in tables]) / limit for name, limit in budgets.items()]
        equal = csr_array(np.array(one_each + meet, dtype=np.float64))
        values = np.array([1.0] * len(one_each) + [0.0] * len(meet))
        self._constraints = [LinearConstraint(equal, values, values)]
        if costs:
            self._constraints.append(LinearConstraint(csr_array(np.array(costs)), -np.inf, 1.0))
        self._num_blocks = len(tables)
        self._cuts = csr_array((0, len(self._ratings)))

    def _meetings(self, tables: Tables, block: int) -> list[np.ndarray]:
        """For each width behind a block: its rows that end there, less the next block's that begin there."""
        before, after = tables[block], tables[block + 1]
        if "out_channels" not in before:
            return []
        rows = []
        for width in sorted(set(before["out_channels"]) | set(after["in_channels"])):
            row = np.zeros(len(self._ratings))
            row[self._blocks == block] = before["out_channels"] == width
            row[self._blocks == block + 1] = -(after["in_channels"] == width).astype(np.float64)
            rows.append(row)
        return rows

    def best(self, most_seconds: float) -> tuple[float, bool]:
        """The best score that was not given before, and whether that is proved."""
        constraints = list(self._constraints)
        if self._cuts.shape[0]:
            constraints.append(LinearConstraint(self._cuts, -np.inf, self._num_blocks - 1))
        solution = milp(
            self._ratings,
            integrality=np.ones(len(self._ratings)),
            bounds=Bounds(0, 1),
            constraints=constraints,
            options={"time_limit": most_seconds, "mip_rel_gap": 0},
        )
        if solution.x is None:
            return np.inf, False
        chosen = csr_array((solution.x > 0.5).astype(np.float64)[None])
        self._cuts = vstack([self._cuts, chosen], format="csr")
        return float((chosen @ self._ratings)[0]), solution.status == 0


def compare_traversal(released: ReleasedTraversal, rounds: int, most_seconds: float) -> None:
    """Print how long the released traversal takes for one architecture, and ours on the same table."""
    tables = released.tables(np.random.default_rng(0))
    theirs, ours = [], []
    for _ in range(rounds):
        found, seconds = released.search(tables, most_seconds)
        theirs.append(seconds)
        start = time.perf_counter()
        best = top_architectures(tables, {"num_macs": released.limit}, 1)
        ours.append(time.perf_counter() - start)
    slow, fast = statistics.median(theirs), statistics.median(ours)
    score = best["score"].iloc[0]
    outcome = f"best score {score:.4f}, theirs {'none in that time' if found is None else f'{found:.4f}'}"
    print(f"released traversal {slow:.1f} s, ours {fast:.2f} s; {outcome}")
    tell(
        Verdict(
            "best of the released table against its traversal",
            f"{fast:.2f} s",
            f"{slow:.1f} s",
            fast / slow,
            1,
        )
    )


if __name__ == "__main__":
    main()
