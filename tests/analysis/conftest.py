"""Small random chains of blocks, and all their architectures by brute force."""

import itertools
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

# With the separator behind them, some of these are in another order than without.
NAMES = ("a", "ab", "a-", "a.", "b", "a+")
COSTS = ("num_params", "num_macs", "latency_ms")


@dataclass(frozen=True)
class Instance:
    tables: list[pd.DataFrame]
    budgets: dict[str, float]
    everything: list[
        tuple[Fraction, str, dict[str, Fraction]]
    ]  # score, ID and costs in the order of (score, ID)

    @property
    def feasible(self):
        return [found for found in self.everything if self._is_feasible(found[2])]

    def _is_feasible(self, costs):
        return all(costs[name] <= limit for name, limit in self.budgets.items())


def brute_force(tables, costs):
    found = []
    for rows in itertools.product(*[table[table["rating"].notna()].to_dict("records") for table in tables]):
        if any(
            before.get("out_channels", 0) != after["in_channels"]
            for before, after in itertools.pairwise(rows)
            if "in_channels" in after and "out_channels" in before
        ):
            continue
        score = sum(Fraction(row["rating"]) for row in rows)
        sums = {name: sum(Fraction(row[name]) for row in rows) for name in costs}
        found.append((score, "/".join(row["candidate"] for row in rows), sums))
    return sorted(found, key=lambda architecture: architecture[:2])


def random_instance(rng):
    levels = [0.1, 0.2, 0.3, -0.1, 0.7, 1 / 3]  # whose sums depend on the order
    levels = rng.choice(levels, rng.integers(1, 4)) if rng.random() < 0.7 else rng.standard_normal(100)
    costs, has_widths = COSTS[: rng.integers(0, 4)], rng.random() < 0.5
    tables = []
    for block in range(rng.integers(1, 5)):
        num_candidates = rng.integers(2, 7)
        table = pd.DataFrame(
            {"candidate": NAMES[:num_candidates], "rating": rng.choice(levels, num_candidates)}
        )
        table.loc[rng.random(num_candidates) < 0.1, "rating"] = np.nan
        table["num_params"] = rng.integers(0, 6, num_candidates)
        table["num_macs"] = rng.integers(0, 6, num_candidates)
        table["latency_ms"] = rng.choice([0.1, 0.2, 0.3], num_candidates)
        if has_widths:
            table["out_channels"] = rng.choice([8, 16], num_candidates)
            per_width = [
                table.assign(in_channels=width, num_params=table["num_params"] + width // 8)
                for width in ([3] if block == 0 else [8, 16])
            ]
            table = pd.concat(per_width).sample(frac=1, random_state=int(rng.integers(2**31)))
        tables.append(table)
    limits = {
        "num_params": rng.integers(2, 14),
        "num_macs": rng.integers(2, 14),
        "latency_ms": rng.choice([0.3, 0.6, 0.8, 0.9]),
    }
    return tables, {name: float(limits[name]) for name in costs}


@pytest.fixture(scope="session")
def instances():
    rng = np.random.default_rng(0)
    found = []
    while len(found) < 60:
        tables, budgets = random_instance(rng)
        if all(table["rating"].notna().any() for table in tables):
            everything = brute_force(tables, COSTS)
            if everything:
                found.append(Instance(tables, budgets, everything))
    return found


@pytest.fixture(scope="session")
def large_tables():
    """Six blocks of 1,000 candidates, 10^18 architectures; larger ones are a little better."""
    rng = np.random.default_rng(0)
    tables = []
    for _ in range(6):
        size = rng.random(1000)
        tables.append(
            pd.DataFrame(
                {
                    "candidate": [f"1x8:op{number}" for number in range(1000)],
                    "rating": 1 - 0.3 * size + 0.1 * rng.standard_normal(1000),
                    "num_params": (1e6 * (size + 0.3 * rng.random(1000))).astype(np.int64),
                    "num_macs": (1e8 * (size + 0.3 * rng.random(1000))).astype(np.int64),
                }
            )
        )
    return tables
