import json
import shutil

import numpy as np
import pandas as pd
import pytest

from nasray.analysis.tables.measured_costs import check_budgets_known
from nasray.analysis.tables.ratings import load_ratings
from nasray.search_spaces.artefacts import rating_table


def write(run, block, cell, names):
    width = int(cell.removeprefix("1x"))
    frame = pd.DataFrame(
        {
            "candidate": [f"{cell}:{name}" for name in names],
            "cell": cell,
            "depth": 1,
            "width": width,
            "operations": names,
            "in_channels": 3,
            "out_channels": width,
            "rating": np.arange(len(names), dtype=float),
            "rating_batches": [[float(value)] for value in range(len(names))],
            "num_params": 1,
            "num_macs": 1,
            "failure": None,
        }
    )
    rating_table.write(frame, run / "ratings" / f"block_{block}" / f"{cell}.parquet")


def test_a_block_is_all_its_cells_in_the_order_of_their_names(tmp_path):
    write(tmp_path, 0, "1x8", ["c"])
    for block in range(1, 11):
        write(tmp_path, block, "1x8", ["b"])
    write(tmp_path, 10, "1x16", ["b", "a"])
    (tmp_path / "ratings" / "notes").mkdir()
    tables = load_ratings(tmp_path)
    assert len(tables) == 11
    assert tables[10]["candidate"].tolist() == ["1x16:b", "1x16:a", "1x8:b"]
    assert tables[10].index.tolist() == [0, 1, 2]
    assert tables[0].columns.tolist() == rating_table.schema().names


def test_missing_ratings_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="must have a folder ratings"):
        load_ratings(tmp_path)
    (tmp_path / "ratings").mkdir()
    with pytest.raises(FileNotFoundError, match="block_<k>"):
        load_ratings(tmp_path)
    write(tmp_path, 0, "1x8", ["a"])
    write(tmp_path, 3, "1x8", ["a"])
    with pytest.raises(ValueError, match=r"every block up to 3, it lacks \[1, 2\]"):
        load_ratings(tmp_path)
    for block in (1, 2):
        (tmp_path / "ratings" / f"block_{block}").mkdir()
    with pytest.raises(ValueError, match="block_1 must have a table of ratings"):
        load_ratings(tmp_path)


def test_a_damaged_table_is_named(tmp_path):
    write(tmp_path, 0, "1x8", ["a"])
    path = tmp_path / "ratings" / "block_0" / "1x8.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"1x8\.parquet"):
        load_ratings(tmp_path)


def test_a_candidate_in_two_cells_is_refused(tmp_path):
    write(tmp_path, 0, "1x8", ["a"])
    path = tmp_path / "ratings" / "block_0" / "1x8.parquet"
    path.with_name("2x8.parquet").write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match=r"block_0.*1x8:a must appear once"):
        load_ratings(tmp_path)


def write_latencies(run, block, cell, names):
    path = run / "latency" / f"block_{block}" / f"{cell}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame({"candidate": [f"{cell}:{name}" for name in names], "in_channels": 3})
    frame.assign(latency_ms=[float(ord(name)) for name in names]).to_parquet(path)
    return path


@pytest.fixture
def measured(tmp_path):
    """A run of two cells with latencies in another order than the ratings."""
    for cell, names in (("1x16", ["b", "a"]), ("1x8", ["c"])):
        write(tmp_path, 0, cell, names)
        write_latencies(tmp_path, 0, cell, sorted(names))
    figures = {"device": "cpu", "clock": "perf_counter", "scale": 1.0}
    (tmp_path / "latency" / "latency.json").write_text(json.dumps(figures))
    return tmp_path


def test_latencies_are_joined_where_they_are_measured(measured):
    (table,) = load_ratings(measured)
    assert table.columns.tolist() == [*rating_table.schema().names, "latency_ms"]
    assert table["candidate"].tolist() == ["1x16:b", "1x16:a", "1x8:c"]
    assert table["latency_ms"].tolist() == [98.0, 97.0, 99.0]


@pytest.mark.parametrize("content", ["{}", "[]", '"x"', "null", "{"])
def test_a_damaged_measurement_is_named(measured, content):
    (measured / "latency" / "latency.json").write_text(content)
    with pytest.raises(
        ValueError, match=r"latency\.json must be a whole file.*measure anew by `nasray latency"
    ):
        load_ratings(measured)


def test_an_unfinished_measurement_counts_as_none(measured):
    (measured / "latency" / "latency.json").unlink()
    (table,) = load_ratings(measured)
    assert "latency_ms" not in table
    check_budgets_known(measured, {"num_params": 1})
    with pytest.raises(
        ValueError, match=r"needs latencies, .* has none: measure them first, by `nasray latency"
    ):
        check_budgets_known(measured, {"latency_ms": 1})


@pytest.mark.parametrize("damage", ["rows", "file", "place", "twice", "bytes"])
def test_a_measurement_of_something_else_is_refused(measured, damage):
    place = measured / "latency" / "block_0"
    path = place / "1x16.parquet"
    if damage == "rows":
        write_latencies(measured, 0, "1x16", ["a"])
    elif damage == "file":
        path.unlink()
    elif damage == "place":
        shutil.rmtree(place)
    elif damage == "twice":
        shutil.copy(path, place / "copy.parquet")
    else:
        path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"block_0 must hold .*latenc.*measure anew by `nasray latency"):
        load_ratings(measured)


@pytest.mark.parametrize("latencies", [[1.0, np.inf], [1.0, -1.0], [1.0, np.nan], ["1", "2"]])
def test_latencies_edited_by_hand_are_refused(measured, latencies):
    path = measured / "latency" / "block_0" / "1x16.parquet"
    pd.read_parquet(path).assign(latency_ms=latencies).to_parquet(path)
    with pytest.raises(
        ValueError, match=r"block_0 must hold a finite number of milliseconds .*measure anew by"
    ):
        load_ratings(measured)
