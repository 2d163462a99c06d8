"""Time of the exact ranking of DNA's full space, and tightness of its counts.

The costs are those of the space, the ratings synthetic: larger candidates a little better, plus noise. Every
measurement is a process of its own, and the rounds go through all instances in turn.

    python benchmarks/ranking.py
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from verdicts import Verdict, tell

from nasray.analysis.counting.counting import count_better
from nasray.analysis.exact.ranking import top_architectures

ROUNDS = 5
K = 1000


@dataclass(frozen=True)
class Instance:
    """A chain and its budgets, and within which time and memory the best are to be found."""

    chain: str
    budgets: dict[str, float]
    most_seconds: float
    most_megabytes: float = 2000


TWO = {"num_params": 5e6, "num_macs": 400e6}
THREE = TWO | {"latency_ms": 15.0}
LONG = {f"cost_{number}": 80 * 0.6 for number in range(3)}
INSTANCES = {
    "DNA": Instance("dna", {}, 2),
    "DNA, 2 budgets": Instance("dna", TWO, 2),
    "DNA, 3 budgets": Instance("dna", THREE, 10),
    "DNA, 3 tight budgets": Instance("dna", {"num_params": 3.6e6, "num_macs": 300e6, "latency_ms": 12.5}, 10),
    "80 x 54, 3 budgets": Instance("long", LONG, 10),
}
COUNTS = {"DNA": {}, "DNA, 2 budgets": TWO, "DNA, 3 budgets": THREE}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prepare", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=2, metavar=("FOLDER", "INSTANCE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.prepare:
        prepare(arguments.prepare)
    elif arguments.measure:
        folder, name = arguments.measure
        print(json.dumps(measure(Path(folder), INSTANCES[name])))
    else:
        with TemporaryDirectory() as name:
            # A process inherits the peak memory of the one that starts it, which must thus stay small.
            run("--prepare", name)
            compare_rankings(Path(name))
            compare_counts(load(Path(name), "dna"))


def run(*arguments: str) -> str:
    """What this script prints when it is run in another process."""
    return subprocess.run(
        [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, check=True, text=True
    ).stdout


def prepare(folder: Path) -> None:
    for chain, tables in {"dna": dna_tables(), "long": long_tables()}.items():
        for block, table in enumerate(tables):
            table.to_parquet(folder / f"{chain}_{block}.parquet")


def load(folder: Path, chain: str) -> list[pd.DataFrame]:
    num_blocks = len(list(folder.glob(f"{chain}_*.parquet")))
    return [pd.read_parquet(folder / f"{chain}_{block}.parquet") for block in range(num_blocks)]


def dna_tables() -> list[pd.DataFrame]:
    """The candidates of DNA's full space with synthetic ratings and latencies."""
    # The processes that measure need no torch.
    from nasray.search_spaces.chain.mbconv import dna  # noqa: PLC0415

    rng = np.random.default_rng(0)
    space = dna((3, 224, 224), 1000)
    tables = []
    for block in range(len(space.blocks)):
        table = space.candidate_table(block)[
            ["candidate", "in_channels", "out_channels", "num_params", "num_macs"]
        ]
        # A candidate has one rating, whatever the width it is entered at.
        rated = table.groupby("candidate", sort=False)["num_macs"].min()
        size = np.log(rated / rated.min()) / np.log(rated.max() / rated.min())
        rating = 0.6 * (1 - 0.3 * size + 0.1 * rng.standard_normal(len(rated)))
        latency = table["num_macs"] * 2e-8 * (1 + 0.3 * rng.random(len(table))) + 1
        tables.append(table.assign(rating=table["candidate"].map(rating), latency_ms=latency))
    return tables


def long_tables() -> list[pd.DataFrame]:
    """Eighty blocks of 54 candidates with three costs."""
    rng = np.random.default_rng(0)
    tables = []
    for _ in range(80):
        size = rng.random(54)
        costs = {f"cost_{number}": size + 0.3 * rng.random(54) for number in range(3)}
        rating = 1 - 0.5 * size + 0.1 * rng.standard_normal(54)
        tables.append(
            pd.DataFrame({"candidate": [f"c{row}" for row in range(54)], "rating": rating, **costs})
        )
    return tables


def measure(folder: Path, instance: Instance) -> dict[str, float]:
    """Seconds, megabytes and certificate of ranking one instance."""
    tables = load(folder, instance.chain)
    started = time.perf_counter()
    frame = top_architectures(tables, instance.budgets, K, time_limit_seconds=instance.most_seconds)
    seconds = time.perf_counter() - started
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    certificate = frame.attrs["certificate"]
    return {"seconds": seconds, "megabytes": megabytes} | {
        name: certificate[name] for name in ("proved", "gap", "num_enumerated")
    }


def compare_rankings(folder: Path) -> None:
    results: dict[str, list[dict[str, float]]] = {name: [] for name in INSTANCES}
    for _ in range(ROUNDS):
        for name in INSTANCES:
            results[name].append(json.loads(run("--measure", str(folder), name)))
    print(
        f"{'the best ' + str(K):22} {'s':>7} {'aim':>4} {'MB':>6} {'aim':>6} {'enumerated':>11} {'gap':>8}  met"
    )
    for name, instance in INSTANCES.items():
        seconds, megabytes, enumerated, gap = (
            statistics.median(result[column] for result in results[name])
            for column in ("seconds", "megabytes", "num_enumerated", "gap")
        )
        met = (
            all(result["proved"] for result in results[name])
            and seconds <= instance.most_seconds
            and megabytes <= instance.most_megabytes
        )
        print(
            f"{name:22} {seconds:7.2f} {instance.most_seconds:4.0f} {megabytes:6.0f} {instance.most_megabytes:6.0f}"
            f" {enumerated:11,.0f} {gap:8.4f}  {'yes' if met else 'no'}"
        )
        ours = f"{seconds:.2f} s" if gap == 0 else f"gap {gap:.4f} after {seconds:.0f} s"
        ratio = seconds / instance.most_seconds if gap == 0 else float("inf")
        tell(Verdict(f"exact top {K}: {name}", ours, f"{instance.most_seconds:.0f} s", ratio, 1))


def compare_counts(tables: list[pd.DataFrame]) -> None:
    print(f"\n{'better than':22} {'score':>7} {'lower':>11} {'upper':>11} {'width':>7} {'s':>6}")
    for name, budgets in COUNTS.items():
        best = top_architectures(tables, budgets, K)["score"].iloc[-1]
        for share in (None, 0.05, 0.2, 0.5):
            # The sum of the blocks' quantiles: better than a far smaller share of all architectures.
            score = best if share is None else sum(table["rating"].quantile(share) for table in tables)
            started = time.perf_counter()
            count = count_better(tables, score, budgets)
            seconds = time.perf_counter() - started
            width = count.upper / count.lower - 1 if count.lower else float(count.upper > 0)
            print(
                f"{name:22} {score:7.3f} {count.lower:11.4g} {count.upper:11.4g} {width:7.2%} {seconds:6.2f}"
            )


if __name__ == "__main__":
    main()
