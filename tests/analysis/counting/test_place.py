import itertools
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from nasray.analysis.counting.counting import Count
from nasray.analysis.counting.place import Place, place_of

COSTS = ("num_params", "num_macs")
NAMES = ("a", "b", "ab", "c")


def random_tables(rng, *, has_widths=True):
    """Tables of two to four blocks, candidates without a rating among them; a row per width at which one is entered."""
    tables, entries = [], [3]
    for _ in range(rng.integers(2, 5)):
        widths = sorted(rng.choice([8, 16], rng.integers(1, 3), replace=False))
        rows = [
            {
                "candidate": f"1x{width}:{name}",
                "in_channels": entry,
                "out_channels": width,
                "rating": rng.choice([0.1, 0.2, 0.3, -0.1, 1 / 3]) if rng.random() > 0.1 else np.nan,
                **{cost: int(rng.integers(0, 6)) for cost in COSTS},
            }
            for width in widths
            for name in NAMES[: rng.integers(1, 5)]
            for entry in entries
        ]
        table = pd.DataFrame(rows).sample(frac=1, random_state=int(rng.integers(2**31)))
        tables.append(
            table
            if has_widths
            else table.drop_duplicates("candidate").drop(columns=["in_channels", "out_channels"])
        )
        entries = widths
    return tables


def brute_force(tables):
    """Score and costs by ID, in the order of the tables; a score is NaN where a rating is missing."""
    found = {}
    for rows in itertools.product(*[table.to_dict("records") for table in tables]):
        meet = all(
            after.get("in_channels") == before.get("out_channels")
            for before, after in itertools.pairwise(rows)
        )
        if meet:
            ratings = [row["rating"] for row in rows]
            score = np.nan if np.isnan(ratings).any() else sum(map(Fraction, ratings))
            costs = {cost: sum(row[cost] for row in rows) for cost in COSTS}
            found["/".join(row["candidate"] for row in rows)] = (score, costs)
    return found


@pytest.mark.parametrize("has_widths", [True, False])
def test_places_are_those_of_brute_force(has_widths):
    rng = np.random.default_rng(0)
    num_placed = num_outside = num_without = 0
    for _ in range(40):
        tables = random_tables(rng, has_widths=has_widths)
        everything = brute_force(tables)
        if not any(isinstance(score, Fraction) for score, _ in everything.values()):
            continue
        budgets = {cost: float(rng.integers(3, 16)) for cost in COSTS[: rng.integers(0, 3)]}
        feasible = [
            score
            for score, costs in everything.values()
            if all(costs[name] <= limit for name, limit in budgets.items())
        ]
        for architecture, (score, costs) in list(everything.items())[:: len(everything) // 5 + 1]:
            place = place_of(architecture, tables, COSTS, budgets)
            if not isinstance(score, Fraction):
                assert place is None
                num_without += 1
                continue
            num_better = sum(other < score for other in feasible)
            assert place == Place(float(score), costs, Count(num_better, num_better))
            kept = all(costs[name] <= limit for name, limit in budgets.items())
            assert place.keeps(budgets) == kept
            num_placed += 1
            num_outside += not kept
    assert num_placed > 80
    assert num_outside > 10
    assert num_without > 5


@pytest.fixture
def tables():
    first = pd.DataFrame(
        {
            "candidate": ["1x8:a", "1x8:b", "2x16:a,b"],
            "in_channels": 3,
            "out_channels": [8, 8, 16],
            "rating": [0.5, 0.25, 1.0],
            "num_params": [10, 20, 30],
        }
    )
    second = pd.DataFrame(
        {
            "candidate": ["1x4:a", "1x4:b", "1x4:a", "1x4:b"],
            "in_channels": [8, 8, 16, 16],
            "out_channels": 4,
            "rating": [0.1, 0.2, 0.3, np.nan],
            "num_params": [1, 2, 3, 4],
        }
    )
    return [first, second]


def test_the_row_is_the_one_entered_at_the_width_before(tables):
    assert place_of("2x16:a,b/1x4:a", tables, ["num_params"]) == Place(1.3, {"num_params": 33}, Count(4, 4))
    assert place_of("1x8:b/1x4:a", tables) == Place(0.35, {}, Count(0, 0))


def test_what_exceeds_the_budgets_has_a_place_among_those_that_keep_them(tables):
    budgets = {"num_params": 11.0}
    place = place_of("2x16:a,b/1x4:a", tables, budgets=budgets)
    assert place == Place(1.3, {"num_params": 33}, Count(1, 1))
    assert not place.keeps(budgets)
    assert place_of("1x8:a/1x4:a", tables, budgets=budgets).keeps(budgets)


def test_without_a_rating_there_is_no_place(tables):
    assert place_of("2x16:a,b/1x4:b", tables) is None
    assert place_of("1x8:a/1x4:b", tables) is not None


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("1x8:a", "must have a candidate for each of the 2 blocks, got 1x8:a"),
        ("1x8:c/1x4:a", "the candidates of block 0 must have one named 1x8:c$"),
        ("1x8:a/1x8:a", "the candidates of block 1 must have one named 1x8:a, entered at 8"),
        ("8:a/1x4:a", "a candidate is written like \"2x24:mb3k3,mb6k5\", got '8:a'"),
    ],
)
def test_what_is_not_of_the_space_is_told(tables, architecture, message):
    with pytest.raises(ValueError, match=message):
        place_of(architecture, tables)


def test_budgets_of_no_known_cost_are_told(tables):
    with pytest.raises(ValueError, match="block 0 must have the column latency"):
        place_of("1x8:a/1x4:a", tables, budgets={"latency": 1})
