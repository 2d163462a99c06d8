import io
import json

import pytest
from rich.console import Console

from nasray.experiment import search

pytestmark = pytest.mark.timeout(600)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "name", ["units/block_1/2x16/supernet.safetensors", "ratings/block_0/2x8.parquet", "teacher/teacher.json"]
)
def test_a_changed_result_is_made_anew_and_nothing_else(tiny_finished, tmp_path, name):
    run = tmp_path / "runs" / "tiny"
    before = {path: path.read_bytes() for path in (run / name, run / "ranking.parquet")}
    flip(run / name)
    console = Console(file=io.StringIO(), width=1000)
    result = search(tiny_finished(), stages=["teacher", "ratings", "ranking"], console=console)
    assert result.num_units_run == 1
    assert f"{run / name} was damaged: it is kept as" in console.file.getvalue()
    assert {path: path.read_bytes() for path in before} == before


def test_a_changed_feature_is_computed_anew_by_the_unit_that_reads_it(tiny_finished, tmp_path):
    (shard,) = (tmp_path / "runs" / "features").glob("*/boundary_1/1.npy")
    table = tmp_path / "runs" / "tiny" / "ratings" / "block_0" / "1x12.parquet"
    before = {path: path.read_bytes() for path in (shard, table)}
    flip(shard)
    table.unlink()
    console = Console(file=io.StringIO(), width=1000)
    assert search(tiny_finished(), console=console).num_units_run == 1
    assert f"block_0/1x12: {shard} was damaged: it is kept as 1.npy.damaged" in console.file.getvalue()
    assert {path: path.read_bytes() for path in before} == before


def test_a_changed_ranking_is_made_anew(tiny_finished, tmp_path):
    path = tmp_path / "runs" / "tiny" / "ranking.parquet"
    before = path.read_bytes()
    flip(path)
    assert search(tiny_finished()).num_units_run == 0
    assert path.read_bytes() == before


def test_units_of_one_kind_on_unlike_devices_are_told(tiny_finished, tmp_path):
    """As where the GPUs are asked for in the second launch only."""
    marker = tmp_path / "runs" / "tiny" / "units" / "block_0" / "1x12" / "done.json"
    done = json.loads(marker.read_text())
    (device,) = done["devices"]
    assert device.startswith("CPU (")
    assert all(epoch["device"] == device for epoch in done["history"] if "epoch" in epoch)
    marker.write_text(json.dumps(done | {"devices": ["Another GPU"]}))
    console = Console(file=io.StringIO(), width=1000)
    (tmp_path / "runs" / "tiny" / "ratings" / "block_1" / "2x16.parquet").unlink()
    search(tiny_finished(), console=console)
    assert f"the kind block computed on unlike devices, Another GPU and {device}" in console.file.getvalue()
