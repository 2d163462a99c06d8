"""Numbers at which float64 arithmetic fails: what is ranked and counted must be exact, or refused, and end."""

import itertools
import math
import time
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from nasray.analysis.counting.counting import Count, count_better, count_feasible
from nasray.analysis.counting.distribution import score_distribution
from nasray.analysis.counting.place import place_of
from nasray.analysis.counting.stratified_sample import sample_by_score
from nasray.analysis.exact.ranking import top_architectures

COSTS = ("num_params", "latency_ms")
NAMES = ("1x8:a", "1x8:a.", "1x8:ab", "1x8:b")


# Most of them near to others, or far from them, in ways that float64 loses.
KINDS = {
    "levels": lambda rng, num: rng.choice([0.1, 0.2, 0.3, -0.1, 0.7, 1 / 3], num),
    "last bit": lambda rng, num: 1.0 + rng.integers(0, 3, num) * 2.0**-52,
    "denormal": lambda rng, num: rng.integers(0, 4, num) * 5e-324,
    "spread": lambda rng, num: rng.choice([-1.0, 1.0], num) * 10.0 ** rng.uniform(-320, 300, num),
    "far": lambda rng, num: rng.choice([0.0, 1.0, 1.0 + 2.0**-50, 1e17, 1e303, -1e303, 5e-324], num),
    "offset": lambda rng, num: 2.0**53 - rng.integers(0, 4, num),
    "zeros": lambda rng, num: rng.choice([0.0, -0.0], num),
    "whole": lambda rng, num: rng.integers(0, 4, num),
    "large whole": lambda rng, num: 2**53 - rng.integers(0, 4, num),
    "signed whole": lambda rng, num: rng.integers(-(2**53), 2**53, num, endpoint=True),
    "normal": lambda rng, num: rng.standard_normal(num),
}


def random_tables(rng):
    """Tables of one to three blocks of one to four candidates, the columns of a kind each, some with widths."""
    kinds = {"rating": rng.choice([*KINDS])} | {name: rng.choice([*KINDS]) for name in COSTS}
    has_widths, tables = rng.random() < 0.3, []
    for block in range(rng.integers(1, 4)):
        num = int(rng.integers(1, 5))
        table = pd.DataFrame(
            {"candidate": NAMES[:num]} | {name: KINDS[kind](rng, num) for name, kind in kinds.items()}
        )
        if has_widths:
            entries = [3] if block == 0 else [8, 16]
            table["out_channels"] = rng.choice([8, 16], num)
            table = pd.concat([table.assign(in_channels=width) for width in entries], ignore_index=True)
        tables.append(table)
    return tables


def architectures(tables):
    """Exact score, ID, and exact costs of each, in the order of score, then ID."""
    found = []
    for rows in itertools.product(*[table.to_dict("records") for table in tables]):
        if all(
            one.get("out_channels") == other.get("in_channels") for one, other in itertools.pairwise(rows)
        ) or ("out_channels" not in rows[0]):
            sums = {name: sum(Fraction(row[name]) for row in rows) for name in ("rating", *COSTS)}
            found.append((sums.pop("rating"), "/".join(row["candidate"] for row in rows), sums))
    return sorted(found, key=lambda architecture: architecture[:2])


def random_budgets(rng, everything):
    """Limits at, or a bit below or above, the sum of some architecture; exact ones, too."""
    budgets = {}
    for name in COSTS:
        if rng.random() < 0.6:
            limit = everything[rng.integers(len(everything))][2][name]
            if rng.random() < 0.7:
                limit = math.nextafter(float(limit), rng.choice([-math.inf, 0.0, math.inf]))
            budgets[name] = max(limit, 0.0)
    return budgets


class Instance:
    """Random tables and budgets, and what brute force says of them."""

    def __init__(self, rng):
        self.rng = rng
        self.tables = random_tables(rng)
        self.everything = architectures(self.tables)
        self.budgets = random_budgets(rng, self.everything) if self.everything else {}
        self.feasible = [found for found in self.everything if self.is_feasible(found)]

    def is_feasible(self, found):
        return all(found[2][name] <= limit for name, limit in self.budgets.items())

    def check_ranking(self):
        k = int(self.rng.integers(1, len(self.everything) + 2))
        if not self.feasible:
            with pytest.raises(ValueError, match=r"smallest of all|together"):
                top_architectures(self.tables, self.budgets, k)
            return
        expected = self.feasible[:k]
        frame = top_architectures(self.tables, self.budgets, k)
        assert frame["architecture"].tolist() == [name for _, name, _ in expected]
        assert frame["score"].tolist() == [float(score) for score, _, _ in expected]
        for name in COSTS:
            rounded = int if pd.api.types.is_integer_dtype(frame[name]) else float
            assert frame[name].tolist() == [rounded(costs[name]) for _, _, costs in expected]
        certificate = frame.attrs["certificate"]
        assert certificate["proved"]
        assert certificate["gap"] == 0
        below = certificate["lower_bound"]
        assert below <= expected[0][0] < math.nextafter(below, math.inf)

    def check_feasible(self):
        assert count_feasible(self.tables, self.budgets) == exactly(len(self.feasible))

    def check_better(self):
        score, _, _ = self.everything[self.rng.integers(len(self.everything))]
        if self.rng.random() < 0.5:
            expected = sum(better < score for better, _, _ in self.feasible)
        else:
            score = float(score)
            expected = sum(float(better) < score for better, _, _ in self.feasible)
        assert count_better(self.tables, score, self.budgets) == exactly(expected)

    def check_place(self):
        found = self.everything[self.rng.integers(len(self.everything))]
        place = place_of(found[1], self.tables, (), self.budgets)
        assert place.score == float(found[0])
        assert place.num_better == exactly(sum(better < found[0] for better, _, _ in self.feasible))
        assert place.keeps(self.budgets) == self.is_feasible(found)


CHECKS = (Instance.check_ranking, Instance.check_feasible, Instance.check_better, Instance.check_place)


def exactly(number):
    return Count(number, number)


def check(seed, *, all_ways):
    """One instance against brute force in exact numbers; the seed is told if it fails."""
    rng = np.random.default_rng(seed)
    instance = Instance(rng)
    if not instance.everything:  # the widths never meet
        return
    for one in CHECKS if all_ways else [CHECKS[rng.choice(4, p=[0.55, 0.15, 0.15, 0.15])]]:
        try:
            one(instance)
        except Exception as error:
            raise AssertionError(f"the instance of seed {seed}, {one.__name__}: {error}") from error


@pytest.mark.parametrize("part", range(10))
def test_what_is_ranked_and_counted_is_that_of_exact_brute_force(part):
    for seed in range(200 * part, 200 * (part + 1)):
        check(seed, all_ways=False)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_the_same_of_many_more_in_all_ways(part):
    for seed in range(10_000 + 1000 * part, 10_000 + 1000 * (part + 1)):
        check(seed, all_ways=True)


def table(ratings, costs):
    return pd.DataFrame({"candidate": list("abcd")[: len(ratings)], "rating": ratings, "num_params": costs})


@pytest.mark.parametrize(
    ("tables", "budget", "best", "score"),
    [
        ([table([0.0, 1e303], [5, 1])] * 2, 6, "a/b", 1e303),
        ([table([0.0, 5e-324], [5, 1]), table([0.1], [1])], 3, "b/a", 0.1),
        ([table([0.0, 1.0], [5e-305, 1e-305])] * 2, 6e-305, "a/b", 1.0),
        ([table([0.0, 1.0], [1e300, 1.0])] * 2, 6.0, "b/b", 2.0),
        ([table([0.0, 1.0], [5e-324, 0.0])] * 2, 5e-324, "a/b", 1.0),
        ([table([0.0, 1.0], [5e-324, -0.0])] * 2, 0.0, "b/b", 2.0),
        # The sums that float64 makes from left to right are equal, or the other way round.
        ([table([1e16], [0]), table([1.0, 0.0], [0, 0]), table([-1e16], [0])], 0, "a/b/a", 0.0),
        ([table([1.0], [2**52]), table([1.0, 2.0], [2**52 + 1, 2**52])], 2**53, "a/b", 3.0),
        ([table([1.0], [0.1]), table([1.0], [0.2]), table([1.0, 2.0], [0.3, 0.25])], 0.6, "a/a/b", 4.0),
        ([table([2.0, 1.0], [2.0**-30, 1.0])] * 60, 1.0, "/".join(["a"] * 60), 120.0),
    ],
)
def test_sums_that_float64_gets_wrong_are_ranked(tables, budget, best, score):
    frame = top_architectures(tables, {"num_params": budget}, 1)
    assert frame["architecture"].tolist() == [best]
    assert frame["score"].tolist() == [score]
    assert frame.attrs["certificate"]["proved"]


def test_whole_costs_are_never_wrapped():
    frame = top_architectures([table([1.0], [2**62])] * 2)
    assert frame["num_params"].tolist() == [2**63]
    with pytest.raises(ValueError, match="sums of num_params must be whole numbers of 64 bits"):
        top_architectures([table([1.0], [2**62])] * 8)
    with pytest.raises(ValueError, match=r"num_params must be at least 9007199254740994\.0"):
        top_architectures([table([1.0], [2**52]), table([1.0], [2**52 + 1])], {"num_params": 2**53})
    assert count_feasible(
        [table([1.0], [2**52]), table([1.0], [2**52 + 1])], {"num_params": 2**53}
    ) == exactly(0)


@pytest.mark.parametrize("outlier", [1e30, 1e303, -1e303])
@pytest.mark.parametrize("budgets", [{}, {"num_params": 3_000_000, "num_macs": 3e8}])
def test_one_candidate_far_off_does_not_blur_the_others(large_tables, outlier, budgets):
    tables = [first_row_rated(table, outlier) for table in large_tables]
    frame = top_architectures(tables, budgets, 100, time_limit_seconds=60)
    assert frame.attrs["certificate"]["proved"]
    if outlier > 0:
        expected = top_architectures([table.iloc[1:] for table in large_tables], budgets, 100)
        pd.testing.assert_frame_equal(frame, expected)


def first_row_rated(table, rating):
    ratings = table["rating"].to_numpy(copy=True)
    ratings[0] = rating
    return table.assign(rating=ratings)


@pytest.mark.parametrize("scale", [1e-310, 1e-160, 1e290])
def test_a_time_limit_is_kept_whatever_the_numbers(large_tables, scale):
    tables = [
        table.assign(rating=table["rating"] * scale, num_macs=table["num_macs"] * scale)
        for table in large_tables
    ]
    started = time.monotonic()
    top_architectures(
        tables * 4, {"num_macs": 8e8 * scale, "num_params": 8_000_000}, 1000, time_limit_seconds=1
    )
    assert time.monotonic() - started < 2 * 3  # the machine may be busy


@pytest.mark.parametrize("scale", [5e-324, 2.0**-1000, 2.0**1000])
def test_scores_of_any_size_are_counted_and_drawn(scale):
    tables = [pd.DataFrame({"candidate": list("abcd"), "rating": np.array([0.0, 1, 2, 3]) * scale})] * 4
    distribution = score_distribution(tables, num_bins=12)
    assert sum(distribution.counts) == 256
    assert distribution.edges[[0, -1]].tolist() == [0, 12 * scale]
    sample = sample_by_score(tables, 13)
    assert sample["score"].tolist() == (np.arange(13) * scale).tolist()
