import io
import shutil

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from nasray.analysis.tables.ratings import load_ratings
from nasray.commands.refine import refine
from nasray.experiment import search
from nasray.search_spaces.artefacts import rating_table
from nasray.views.refine import print_refinement

pytestmark = pytest.mark.timeout(600)

DATA = {"source": "digits", "num_train_images": 256, "num_held_out_images": 240}
RATING = {"num_batches": 8, "calibration_images": 64, "calibration_batch_size": 32}


def config_of(tiny, name, **changes):
    """A search whose candidates are rated on three of eight batches, or on others."""
    rating = {**RATING, "rated_batches": 3} | changes.pop("rating", {})
    method = {"method": "dna", "epochs": 1, "batch_size": 64, "rating": rating, **changes}
    return tiny(name=name, data=DATA, searches=[method])


def tables_of(folder):
    return {path.name: rating_table.read(path) for path in sorted(folder.glob("ratings/*/*.parquet"))}


def contents_of(folder):
    return {path: path.read_bytes() for path in [*folder.glob("ratings/*/*"), folder / "ranking.parquet"]}


def num_batches_of(tables):
    return pd.concat(tables.values())["rating_batches"].map(len)


def said(refinement):
    text = io.StringIO()
    print_refinement(refinement, Console(width=200, highlight=False, file=text))
    return text.getvalue()


@pytest.fixture(scope="module")
def searched(tiny_in, tmp_path_factory):
    """A finished search on three of eight batches, and one on all, of the same supernets."""
    place = tmp_path_factory.mktemp("refine")

    def tiny(**changes):
        return tiny_in(place, **changes)

    some = search(config_of(tiny, "some")).folder
    everything = search(config_of(tiny, "all", rating={"rated_batches": 8})).folder
    return tiny, some, everything


@pytest.fixture
def copied(searched, tmp_path):
    """A copy of both runs as they were searched, with the features beside them."""
    _, some, everything = searched
    root = shutil.copytree(some.parent, tmp_path / "runs")
    return root / some.name, root / everything.name


def test_what_decides_the_best_is_rated_on_all_batches(copied):
    folder, everything = copied
    before, ranked_before = tables_of(folder), pd.read_parquet(folder / "ranking.parquet")
    assert set(num_batches_of(before)) == {3}
    refinement = refine(folder, 2)
    after, whole = tables_of(folder), tables_of(everything)
    numbers = num_batches_of(after)
    assert set(numbers) == {3, 8}
    assert refinement.num_rounds >= 1
    assert refinement.num_refined == (numbers == 8).sum() < refinement.num_candidates == len(numbers)
    assert refinement.num_ratings == 5 * refinement.num_refined
    assert refinement.num_open == 5 * len(numbers)

    for name, table in after.items():
        for row, old, full in zip(
            *(frame.to_dict("records") for frame in (table, before[name], whole[name])), strict=True
        ):
            assert list(row["rating_batches"][:3]) == list(old["rating_batches"])
            assert row["rating"] == pytest.approx(np.mean(row["rating_batches"]))
            np.testing.assert_allclose(
                row["rating_batches"], full["rating_batches"][: len(row["rating_batches"])], rtol=1e-4
            )
            assert len(row["swap_in_batches"]) == len(row["rating_batches"])

    ranking = pd.read_parquet(folder / "ranking.parquet")
    expected = pd.read_parquet(everything / "ranking.parquet")
    assert ranking["architecture"][:2].tolist() == expected["architecture"][:2].tolist()
    np.testing.assert_allclose(ranking["score"][:2], expected["score"][:2], rtol=1e-4)
    pd.testing.assert_frame_equal(refinement.before, ranked_before)
    text = said(refinement)
    assert (
        f"Rated {refinement.num_refined} of {len(numbers)} rated candidates further, up to 8 held-out batches"
        in text
    )
    assert "The first place" in text
    assert "Best 10 of 54 ranked" in text

    contents = contents_of(folder)
    again = refine(folder, 2)
    assert again.num_rounds == again.num_ratings == 0
    assert "Nothing is left to rate" in said(again)
    assert contents_of(folder) == contents


@pytest.mark.slow
def test_a_later_search_keeps_what_was_refined(copied, tiny):
    folder, _ = copied
    refine(folder, 2)
    contents = contents_of(folder)
    assert search(config_of(tiny, "some")).num_units_run == 0
    assert contents_of(folder) == contents


def test_ratings_that_were_made_are_not_made_again(copied, monkeypatch):
    folder, everything = copied

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("nasray.commands.refine._merge", die)
        with pytest.raises(KeyboardInterrupt):
            refine(folder, 2)
    assert set(num_batches_of(tables_of(folder))) == {3}
    rated = {path: path.stat().st_mtime_ns for path in folder.glob("units/**/batches_3-8/ratings.parquet")}
    assert rated
    refine(folder, 2)
    assert {path: path.stat().st_mtime_ns for path in rated} == rated
    assert set(num_batches_of(tables_of(folder))) == {3, 8}
    first = [pd.read_parquet(one / "ranking.parquet")["architecture"][0] for one in (folder, everything)]
    assert first[0] == first[1]


@pytest.mark.slow
def test_batches_may_be_added_step_by_step(copied):
    folder, everything = copied
    assert refine(folder, 1, 5).end_batch == 5
    assert set(num_batches_of(tables_of(folder))) == {3, 5}
    refine(folder, 1)
    assert set(num_batches_of(tables_of(folder))) >= {3, 8}
    first = [load_ratings(one)[0].set_index("candidate")["rating"] for one in (folder, everything)]
    assert first[0].corr(first[1]) > 0.99


@pytest.mark.slow
def test_several_seeds_are_refined_together(searched):
    tiny, *_ = searched
    folder = search(config_of(tiny, "seeds", num_seeds=2)).folder
    before = pd.concat(tables_of(folder).values())
    assert set(before["rating_seeds"].map(len)) == {2}
    np.testing.assert_allclose(before["rating_seeds"].map(np.mean), before["rating"])
    assert (before["rating_seeds"].map(np.ptp) > 0).all()
    refine(folder, 1)
    after = pd.concat(tables_of(folder).values())
    assert set(num_batches_of(tables_of(folder))) >= {8}
    np.testing.assert_allclose(after["rating_seeds"].map(np.mean), after["rating"])
    assert pd.read_parquet(folder / "ranking.parquet")["score_se"].notna().all()
    assert search(config_of(tiny, "seeds", num_seeds=2)).num_units_run == 0


def test_mistakes_are_told(searched, tmp_path):
    _, folder, everything = searched
    with pytest.raises(ValueError, match="top must be at least 1, got 0"):
        refine(folder, 0)
    for batches in (2, 9):
        with pytest.raises(ValueError, match=f"batches must be from 3, .* to 8, .* got {batches}"):
            refine(folder, 2, batches)
    with pytest.raises(ValueError, match="RUN must be the folder of a run"):
        refine(tmp_path)
    assert refine(everything, 3).num_rounds == 0
