import time

import numpy as np
import pytest

from nasray.analysis.exact import search
from nasray.analysis.exact.bounds.relaxation import relax
from nasray.analysis.exact.chain import link
from nasray.analysis.exact.search import Search


def found_by(instance, most, up_to):
    chain = link(instance.tables, instance.budgets)
    found = Search(chain, relax(chain)).best(most, up_to)
    assert found.complete
    names = [
        table["candidate"].to_numpy()[block.table_rows]
        for table, block in zip(instance.tables, chain.blocks, strict=True)
    ]
    ids = [
        "/".join(candidates[row] for candidates, row in zip(names, rows, strict=True)) for rows in found.rows
    ]
    return list(zip(chain.score.sums.fractions(found.digits), ids, strict=True))


@pytest.mark.parametrize("most_numbers", [1, 200, 2**22])
def test_the_best_are_found_whatever_the_memory(instances, monkeypatch, most_numbers):
    monkeypatch.setattr(search, "_MOST_NUMBERS", most_numbers)
    for instance in instances[::2]:
        expected = [architecture[:2] for architecture in instance.feasible]
        for most in (1, len(expected) // 2 + 1, len(expected) + 1):
            assert found_by(instance, most, np.inf) == expected[:most]


def test_all_up_to_a_score_are_found(instances):
    for instance in instances:
        expected = [architecture[:2] for architecture in instance.feasible]
        for up_to in {score for score, _ in expected[:: len(expected) // 3 + 1]}:
            within = [architecture for architecture in expected if architecture[0] <= up_to]
            chain = link(instance.tables, instance.budgets)
            seen = chain.score.scaled(up_to)
            found = found_by(instance, len(expected), seen + chain.rounding(seen))
            assert found[: len(within)] == within


def test_only_what_the_bound_allows_is_looked_at(large_tables):
    chain = link(large_tables, {"num_params": 3_000_000, "num_macs": 3e8})
    relaxation = relax(chain)
    found = Search(chain, relaxation).best(10, relaxation.bound + 0.02)
    assert found.complete
    assert found.num_enumerated < 10_000


def test_a_search_gives_up_at_its_deadline(large_tables):
    chain = link(large_tables, None)
    everything = Search(chain, relax(chain))
    for seconds in (0, 0.5):
        found = everything.best(10**9, np.inf, deadline=time.monotonic() + seconds)
        assert not found.complete
        assert len(found.scores) == found.num_enumerated


def test_all_up_to_a_score_are_counted(instances):
    for instance in instances:
        chain = link(instance.tables, instance.budgets)
        search = Search(chain, relax(chain))
        scores = [score for score, _, _ in instance.feasible]
        for up_to in scores[:: len(scores) // 3 + 1]:
            assert search.count(up_to) == sum(score <= up_to for score in scores)
