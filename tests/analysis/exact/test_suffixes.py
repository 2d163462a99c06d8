import itertools

import numpy as np
import pandas as pd
import pytest

from nasray.analysis.exact import search, suffixes
from nasray.analysis.exact.bounds.relaxation import relax
from nasray.analysis.exact.chain import link
from nasray.analysis.exact.search import Search
from nasray.analysis.exact.suffixes import best_suffixes


@pytest.mark.parametrize("most", [1, 3, 10_000])
def test_all_suffixes_up_to_the_limit_that_is_told_are_there(instances, monkeypatch, most):
    monkeypatch.setattr(suffixes, "_MOST", most)
    for instance in instances:
        chain = link(instance.tables, instance.budgets)
        relaxation = relax(chain)
        for depth, of_widths in enumerate(best_suffixes(chain, relaxation)):
            for width, found in enumerate(of_widths):
                everything = by_brute_force(chain, relaxation, depth, width)
                assert len(found) <= most
                kept = {tuple(rows): place for place, rows in enumerate(found.rows)}
                assert all(
                    excess > found.complete_to
                    for rows, (excess, _, _) in everything.items()
                    if rows not in kept
                )
                for rows, place in kept.items():
                    excess, score, costs = everything[rows]
                    assert np.isclose(found.excesses[place], excess)
                    assert np.isclose(found.scores[place], score)
                    assert np.allclose(found.costs[:, place], costs)
                assert (np.diff(found.excesses) >= 0).all()
                if len(kept) == len(everything) and most == 10_000:
                    assert found.complete_to == np.inf


def by_brute_force(chain, relaxation, depth, width):
    found = {}
    blocks, excesses = chain.blocks[depth:], relaxation.excesses[depth:]
    for rows in itertools.product(*[range(len(block.ratings)) for block in blocks]):
        widths = [width, *(block.exits[row] for block, row in zip(blocks, rows, strict=True))]
        if all(
            block.entries[row] == entered for block, row, entered in zip(blocks, rows, widths, strict=False)
        ):
            found[rows] = (
                sum(of_block[row] for of_block, row in zip(excesses, rows, strict=True)),
                sum(block.ratings[row] for block, row in zip(blocks, rows, strict=True)),
                sum(block.costs[:, row] for block, row in zip(blocks, rows, strict=True)),
            )
    return found


@pytest.mark.parametrize("num_values", [2, 5, 1000])
def test_of_equal_scores_the_first_by_id_are_kept_however_they_are_finished(monkeypatch, num_values):
    rng = np.random.default_rng(num_values)
    tables = [
        pd.DataFrame(
            {"candidate": list("abcd"), "rating": rng.integers(num_values, size=4) / 8, "cost": rng.random(4)}
        )
        for _ in range(6)
    ]
    chain = link(tables, {"cost": 3.0})
    relaxation = relax(chain)
    everything = sorted(
        (score, rows)
        for rows in itertools.product(range(4), repeat=6)
        for score, cost in [sums(chain, rows)]
        if cost <= chain.limits[0]
    )
    for most, numbers in ((1, 2**22), (5, 200), (512, 2**22)):
        monkeypatch.setattr(suffixes, "_MOST", most)
        monkeypatch.setattr(search, "_MOST_NUMBERS", numbers)
        for k in (1, 7, 100):
            found = Search(chain, relaxation).best(k, np.inf)
            assert [tuple(rows) for rows in found.rows] == [rows for _, rows in everything[:k]]
            assert found.scores.tolist() == [score for score, _ in everything[:k]]


def sums(chain, rows):
    score = cost = 0.0
    for block, row in zip(chain.blocks, rows, strict=True):
        score, cost = score + block.ratings[row], cost + block.costs[0, row]
    return score, cost
