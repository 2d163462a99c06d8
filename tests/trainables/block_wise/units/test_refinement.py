import numpy as np
import pytest

from nasray.search_spaces.artefacts import rating_table
from nasray.trainables.block_wise.units.cell import BlockSpec
from nasray.trainables.block_wise.units.refinement import RefinementSpec
from nasray.trainables.units import run_unit

CELL = (1, "2x16")


@pytest.fixture
def trained(search, targets, tmp_path):
    """A cell's target, its candidates rated on two of four batches."""

    def build(folder, **rating):
        target = targets(**rating)[CELL].model_copy(
            update={"folder": tmp_path / folder, "table": tmp_path / folder / "table.parquet"}
        )
        list(
            run_unit(
                BlockSpec(
                    name="block_1/2x16",
                    folder=tmp_path / folder / "unit",
                    inputs=search,
                    target=target,
                    rate=True,
                )
            )
        )
        return target

    return build


def test_some_candidates_are_rated_on_the_batches_that_follow(search, trained, tmp_path):
    target, whole = trained("some", rated_batches=2), trained("all", rated_batches=4)
    table, full = rating_table.read(target.table), rating_table.read(whole.table)
    assert set(table["rating_batches"].map(len)) == {2}
    chosen = table.iloc[[6, 1, 5]]
    spec = RefinementSpec(
        name="further",
        folder=tmp_path / "further",
        inputs=search,
        target=target,
        candidates=tuple(zip(chosen["in_channels"].tolist(), chosen["candidate"], strict=True)),
        first_batch=2,
        end_batch=4,
    )
    (metrics,) = run_unit(spec)
    assert metrics["num_rated"] == 3
    assert metrics["num_evaluations"] <= 2 * 3
    more = rating_table.read(*spec.outputs)
    assert more["candidate"].tolist() == table["candidate"].iloc[[1, 5, 6]].tolist()
    extended = rating_table.extend(table, more)
    for column in ("rating_batches", "swap_in_batches"):
        assert extended[column].map(len).tolist() == [2, 4, 2, 2, 2, 4, 4, 2]
        for row, expected in zip(extended[column], full[column], strict=True):
            np.testing.assert_allclose(row, expected[: len(row)], rtol=1e-4)
    np.testing.assert_allclose(extended["rating"].iloc[[1, 5, 6]], full["rating"].iloc[[1, 5, 6]], rtol=1e-5)
