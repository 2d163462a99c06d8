"""What the commands say of a run's files that are not of the shape in which they were written."""

import json

import pandas as pd
import pytest

from nasray.analysis.trust.calibration import calibrate
from nasray.cli import main
from nasray.search_spaces.artefacts.columns import CANDIDATE, CELL, IN_CHANNELS

# Which shapes are refused is tested where files are read: here, that the commands say so, of one of them.
COMMANDS = [
    ("calibration.json", "null", ["rank", "--by", "calibrated"]),
    ("calibration.json", "{}", ["report"]),
    ("agreement.json", "[]", ["report"]),
    ("ranking.json", "{}", ["report"]),
    ("latency/latency.json", "[]", ["report"]),
    ("latency/latency.json", "{}", ["rank", "--max-latency-ms", "3"]),
]


@pytest.fixture
def run(new_run):
    """A run that has all of these files."""
    made = new_run().everything()
    networks = pd.read_parquet(made.path / "agreement.parquet")
    figures = calibrate(networks, made.tables, num_repeats=2, num_resamples=50).figures
    (made.path / "calibration.json").write_text(json.dumps(figures | {"helps": True}))
    for number, table in enumerate(made.tables):
        for cell, rows in table.groupby(CELL):
            path = made.path / "latency" / f"block_{number}" / f"{cell}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows[[CANDIDATE, IN_CHANNELS]].assign(latency_ms=1.0).to_parquet(path)
    figures = {"device": "cpu", "clock": "perf_counter", "scale": 1.0}
    (made.path / "latency" / "latency.json").write_text(json.dumps(figures))
    return made.path


@pytest.mark.parametrize(("file", "content", "command"), COMMANDS)
def test_a_file_of_another_shape_is_one_message(file, content, command, run, capsys):
    (run / file).write_text(content)
    assert main([command[0], str(run), *command[1:]]) == 2
    message = capsys.readouterr().err.replace("\n", " ")
    assert f"{file} must be a whole file" in message
    assert "remove it and" in message


def test_whole_files_are_read(run):
    for command, *options in (["rank", "--by", "calibrated"], ["rank", "--max-latency-ms", "3"]):
        assert main([command, str(run), *options]) == 0
