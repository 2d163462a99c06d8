import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from nasray.search_spaces.artefacts import rating_table
from nasray.search_spaces.artefacts.columns import RATING_SEEDS


@pytest.fixture
def frame():
    names = ["a,a", "a,b", "b,a"]
    return pd.DataFrame(
        {
            "candidate": [f"2x8:{name}" for name in names],
            "cell": "2x8",
            "depth": 2,
            "width": 8,
            "operations": names,
            "in_channels": 3,
            "out_channels": 8,
            "rating": [0.25, np.nan, 0.1 + 0.2],
            "rating_batches": [[0.2, 0.3], [], [0.1, 0.5]],
            "num_params": [10, 20, 30],
            "num_macs": [100, 200, 300],
            "failure": [None, "the loss was not finite", None],
        }
    )


def test_a_table_reads_back_as_it_was_written(frame, tmp_path):
    path = tmp_path / "seed=0" / "2x8.parquet"
    rating_table.write(frame, path)
    back = rating_table.read(path)
    assert [list(values) for values in back["rating_batches"]] == frame["rating_batches"].tolist()
    rest = frame.columns.drop("rating_batches")
    assert back.columns.tolist() == rating_table.schema().names
    pd.testing.assert_frame_equal(back[rest], frame[rest], check_dtype=False)
    assert back["rating"][2] == 0.1 + 0.2
    assert list(tmp_path.glob("seed=0/*")) == [path]


@pytest.fixture
def swapped(frame):
    """A table whose last candidate has no second rating beside its first."""
    return frame.assign(swap_in=[0.5, np.nan, np.nan], swap_in_batches=[[0.25, 0.75], None, None])


def test_a_second_rating_reads_back_as_it_was_written(swapped, tmp_path):
    rating_table.write(swapped, tmp_path / "table.parquet")
    back = rating_table.read(tmp_path / "table.parquet")
    np.testing.assert_array_equal(back["swap_in"], swapped["swap_in"])
    assert [None if values is None else list(values) for values in back["swap_in_batches"]] == [
        [0.25, 0.75],
        None,
        None,
    ]


def test_a_second_rating_that_is_not_given_is_null(frame, tmp_path):
    rating_table.write(frame, tmp_path / "table.parquet")
    back = rating_table.read(tmp_path / "table.parquet")
    assert back["swap_in"].dtype == np.float64
    assert back[["swap_in", "swap_in_batches"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("swap_in", [np.inf, np.nan, np.nan], "candidate 2x8:a,a must have a finite swap_in"),
        ("swap_in", [0.5, 0.5, np.nan], "candidate 2x8:a,b must not have a swap_in beside its failure"),
        ("swap_in", [0.5, np.nan, 0.5], "candidate 2x8:b,a must have both swap_in and its batches"),
        ("swap_in_batches", [None, None, None], "candidate 2x8:a,a must have both swap_in and its batches"),
        (
            "swap_in_batches",
            [[0.5], None, None],
            "candidate 2x8:a,a must have both ratings on the same held-out",
        ),
        (
            "swap_in",
            [0.6, np.nan, np.nan],
            "candidate 2x8:a,a must have as swap_in the mean of its swap_in_b",
        ),
    ],
)
def test_a_faulty_second_rating_is_told(swapped, column, values, message):
    swapped[column] = values
    with pytest.raises(ValueError, match=message):
        rating_table.check(swapped)


def test_what_a_table_of_an_earlier_version_lacks_is_null(frame, tmp_path):
    path = tmp_path / "old.parquet"
    rating_table.write(frame, path)
    pq.write_table(pq.read_table(path).drop_columns([RATING_SEEDS]), path)
    back = rating_table.read(path)
    assert back.columns.tolist() == rating_table.schema().names
    assert back[RATING_SEEDS].isna().all()


def test_training_seeds_are_as_many_for_all(frame):
    rating_table.check(frame.assign(rating_seeds=[[0.2, 0.3], None, [0.1, 0.5]]))
    with pytest.raises(ValueError, match=r"as many training seeds, got \[1, 2\]"):
        rating_table.check(frame.assign(rating_seeds=[[0.2, 0.3], None, [0.1]]))
    with pytest.raises(ValueError, match="2x8:b,a must have as rating the mean of its rating_seeds"):
        rating_table.check(frame.assign(rating_seeds=[[0.2, 0.3], None, [0.1, 0.6]]))


def test_further_batches_follow_those_that_there_are(swapped, tmp_path):
    swapped = swapped.assign(rating_seeds=[[0.2, 0.3], None, [0.3, 0.3]])
    rating_table.write(swapped, tmp_path / "table.parquet")
    table = rating_table.read(tmp_path / "table.parquet")
    more = table.iloc[[0]].assign(
        rating=0.7, rating_batches=[[0.7]], rating_seeds=[[0.5, 0.9]], swap_in=0.8, swap_in_batches=[[0.8]]
    )
    first, *rest = rating_table.extend(table, more).to_dict("records")
    assert list(first["rating_batches"]) == [0.2, 0.3, 0.7]
    assert first["rating"] == pytest.approx(0.4)
    assert first["rating_seeds"] == pytest.approx([0.3, 0.5])
    assert first["swap_in"] == pytest.approx(0.6)
    pd.testing.assert_frame_equal(pd.DataFrame(rest), table[1:].reset_index(drop=True), check_dtype=False)
    rating_table.write(rating_table.extend(table, more), tmp_path / "extended.parquet")

    without = rating_table.extend(table, more.assign(swap_in=np.nan, swap_in_batches=None)).iloc[0]
    assert np.isnan(without["swap_in"])
    assert without["rating"] == pytest.approx(0.4)
    failed = rating_table.extend(table, more.assign(failure="it burst", rating=np.nan))
    assert failed["failure"][0] == "it burst"
    rating_table.write(failed, tmp_path / "failed.parquet")
    with pytest.raises(ValueError, match="2x8:c,c at 3 is not"):
        rating_table.extend(table, more.assign(candidate="2x8:c,c"))


def test_a_second_rating_has_its_batches(swapped):
    with pytest.raises(ValueError, match="given both or neither; missing: swap_in_batches"):
        rating_table.check(swapped.drop(columns="swap_in_batches"))


def test_a_table_written_again_is_the_same_file(frame, tmp_path):
    rating_table.write(frame, tmp_path / "one.parquet")
    rating_table.write(rating_table.read(tmp_path / "one.parquet"), tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("candidate", ["2x8:a,a", "2x8:a,a", "2x8:b,a"], "candidate 2x8:a,a must appear once"),
        ("rating", [np.inf, np.nan, 0.3], "candidate 2x8:a,a must have a finite rating"),
        ("rating", [0.25, 0.2, 0.3], "candidate 2x8:a,b must not have a rating beside its failure"),
        ("failure", [None, None, None], "candidate 2x8:a,b must have a finite rating or say its failure"),
        ("num_params", [10, -1, 30], "candidate 2x8:a,b must not have a negative cost"),
        ("num_macs", [100, 200, -300], "candidate 2x8:b,a must not have a negative cost"),
        ("num_macs", [100, 2**62, 300], "candidate 2x8:a,b must have costs of at most 2"),
        ("out_channels", [8, 8, 0], "candidate 2x8:b,a must have as depth, width, in_channels, out_channels"),
        (
            "rating",
            [0.25, np.nan, 0.4],
            "candidate 2x8:b,a must have as rating the mean of its rating_batches",
        ),
        (
            "rating_batches",
            [[0.2, 0.3], [], []],
            "candidate 2x8:b,a must have a finite rating on each held-out batch",
        ),
    ],
)
def test_a_faulty_table_is_neither_valid_nor_written(frame, tmp_path, column, values, message):
    frame[column] = values
    with pytest.raises(ValueError, match=message):
        rating_table.check(frame)
    with pytest.raises(ValueError, match=message):
        rating_table.write(frame, tmp_path / "faulty.parquet")
    assert not list(tmp_path.iterdir())


def test_missing_and_unknown_columns_are_named(frame):
    with pytest.raises(ValueError, match="missing: rating; unknown: score"):
        rating_table.check(frame.rename(columns={"rating": "score"}))


def test_a_failed_write_leaves_the_old_table(frame, tmp_path):
    path = tmp_path / "table.parquet"
    rating_table.write(frame, path)
    before = path.read_bytes()
    frame["depth"] = "two"
    with pytest.raises(ValueError, match="depth"):
        rating_table.write(frame, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_no_damage_changes_a_table_unnoticed(frame, tmp_path):
    path, damaged = tmp_path / "table.parquet", tmp_path / "damaged.parquet"
    rating_table.write(frame, path)
    whole, content = rating_table.read(path), path.read_bytes()
    positions = range(0, len(content), 2)
    messages = []
    for position in positions:
        flipped = bytearray(content)
        flipped[position] ^= 1 << (position // 2 % 8)
        damaged.write_bytes(flipped)
        try:
            pd.testing.assert_frame_equal(rating_table.read(damaged), whole)
        except ValueError as error:
            messages.append(str(error))
    assert len(messages) > len(positions) / 2
    assert all(message.startswith(f"{damaged} must be a whole table") for message in messages)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_named(frame, tmp_path, share):
    path = tmp_path / "table.parquet"
    rating_table.write(frame, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"table\.parquet must be a whole table of ratings .*: remove it"):
        rating_table.read(path)


def edit(frame, path, **columns):
    """A table that was read, edited and written by hand."""
    rating_table.write(frame, path)
    pd.read_parquet(path).assign(**columns).to_parquet(path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"rating": [np.nan, np.nan, 0.3]},
            "2x8:a,a must have a finite rating.* the first is row 0, counted from 0",
        ),
        (
            {"rating": [0.25, np.nan, np.inf]},
            "2x8:b,a must have a finite rating.* the first is row 2, counted from 0",
        ),
        (
            {"rating": [0.25, np.nan, 0.4]},
            "2x8:b,a must have as rating the mean of its .* the first is row 2",
        ),
        (
            {"rating": ["0.25", None, "0.3"]},
            "rating must hold double, it holds (large_)?string, as in row 0.*'0.25'",
        ),
        ({"num_params": [10, 20, -1]}, "2x8:b,a must not have a negative cost.* the first is row 2"),
        (
            {"num_params": [10, 2**53 + 1, 30]},
            r"2x8:a,b must have costs of at most 2\^53.* the first is row 1",
        ),
        ({"num_params": [10, np.nan, 30]}, "num_params must hold int64, it holds double"),
        (
            {"num_macs": ["x", "y", "z"]},
            "num_macs must hold int64, it holds (large_)?string, as in row 0.*'x'",
        ),
        (
            {"candidate": ["2x8:a,a", None, "2x8:b,a"]},
            "each row must have a candidate, row 1, counted from 0, has none",
        ),
        (
            {"candidate": ["2x8:a,a", "2x8:a,b", "2x8:a,a"]},
            "2x8:a,a must appear once.* the first is row 2",
        ),
        ({"score": 1.0}, "missing: none; unknown: score"),
    ],
)
def test_a_table_edited_by_hand_is_refused_with_file_and_row(frame, tmp_path, columns, message):
    path = tmp_path / "table.parquet"
    edit(frame, path, **columns)
    with pytest.raises(ValueError, match=rf"table\.parquet must be a whole table of ratings .*{message}"):
        rating_table.read(path)


def test_a_table_edited_by_hand_to_what_it_may_hold_is_read(frame, tmp_path):
    edit(frame, tmp_path / "table.parquet", num_params=[11, 21, 31])
    assert rating_table.read(tmp_path / "table.parquet")["num_params"].tolist() == [11, 21, 31]


def test_a_column_that_stands_twice_is_refused(frame, tmp_path):
    path = tmp_path / "table.parquet"
    rating_table.write(frame, path)
    table = pq.read_table(path)
    pq.write_table(table.append_column("rating", table["rating"]), path)
    with pytest.raises(ValueError, match="table of ratings"):
        rating_table.read(path)


def test_another_parquet_file_is_no_table_of_ratings(frame, tmp_path):
    path = tmp_path / "other.parquet"
    frame.drop(columns="failure").to_parquet(path)
    with pytest.raises(ValueError, match=r"other\.parquet must be a whole table of ratings"):
        rating_table.read(path)


def test_a_missing_file_is_told_as_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        rating_table.read(tmp_path / "none.parquet")


def test_a_table_says_which_of_its_columns_add_up(frame, tmp_path):
    path = tmp_path / "table.parquet"
    rating_table.write(frame, path)
    (said,) = pq.read_schema(path).metadata.values()
    assert json.loads(said).keys() == {"rating", "swap_in", "num_params", "num_macs"}


def test_a_table_of_ratings_of_which_higher_ones_are_better_is_refused(frame, tmp_path):
    path = tmp_path / "table.parquet"
    rating_table.write(frame, path)
    table = pq.read_table(path)
    said = {key: text.replace(b"lower", b"higher") for key, text in table.schema.metadata.items()}
    pq.write_table(table.replace_schema_metadata(said), path)
    with pytest.raises(
        ValueError, match=r"table\.parquet must be a whole table .*rating must add up .*lower is better"
    ):
        rating_table.read(path)
