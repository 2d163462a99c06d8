import numpy as np
import pytest

from nasray.analysis.exact.bounds.grid import Steps, add_block, num_additions


@pytest.mark.parametrize("num_occupied", [2, 30, 90])
@pytest.mark.parametrize("num_rows", [1, 20, 60])
def test_every_sum_lands_on_its_cell(num_occupied, num_rows):
    rng = np.random.default_rng(num_occupied + num_rows)
    before = [np.zeros(100), np.zeros(100)]
    for cells in before:
        cells[rng.choice(100, num_occupied, replace=False)] = rng.integers(1, 9, num_occupied)
    steps = Steps(
        offsets=rng.integers(0, 120, num_rows),
        counts=rng.integers(1, 9, num_rows).astype(float),
        sources=rng.integers(0, 2, num_rows),
        targets=rng.integers(0, 3, num_rows),
    )
    expected = np.zeros((3, 100))
    for offset, count, source, target in zip(
        steps.offsets, steps.counts, steps.sources, steps.targets, strict=True
    ):
        for cell in range(100 - offset):
            expected[target, cell + offset] += count * before[source][cell]
    assert np.array_equal(add_block(before, steps, 3), expected)
    assert num_additions(before, steps) == num_occupied * num_rows
