"""The method of one's own that the documentation shows: run as a reader would, on a Ray of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from nasray.analysis import load_run
from nasray.run.report_page import report

DOCUMENTED = Path(__file__).parents[3] / "docs" / "extending"
BLOCKS = [
    {"stride": 2, "cells": [{"depth": 1, "width": 8, "operations": ["conv1", "conv3"]}]},
    {
        "stride": 2,
        "cells": [{"depth": depth, "width": 8, "operations": ["conv1", "conv3"]} for depth in (1, 2)],
    },
]


def documented_config():
    """The config that the page shows, on fewer images and in a smaller space."""
    page = (DOCUMENTED / "method.md").read_text(encoding="utf-8")
    config = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    config["data"] |= {"num_train_images": 256, "num_held_out_images": 64}
    config["teacher"]["train"]["epochs"] = 2
    config["search_space"] = {
        "source": "declared",
        "stem": [{"operation": "conv3", "width": 8}],
        "head_width": 16,
        "blocks": BLOCKS,
    }
    (search,) = config["searches"]
    search["blocks"] |= {
        "epochs": 1,
        "rating": {"num_batches": 4, "calibration_images": 64, "calibration_batch_size": 32},
    }
    return config | {"retrain": None}


def launched(folder):
    """What the documented command prints."""
    command = [sys.executable, "-m", "nasray", "search", "mine.yaml"]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    return " ".join(found.stdout.split())


@pytest.mark.timeout(600)
def test_the_documented_method_ranks_all_architectures(tmp_path):
    shutil.copy(DOCUMENTED / "flatness.py", tmp_path)
    config = documented_config()
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    said = launched(tmp_path)
    assert "Proved: no other of the 12 architectures within the budgets is better than those listed." in said
    assert "11 units run" in said  # the teacher, its features, three trainings and three ratings
    run = load_run(tmp_path / "runs" / "flat_digits")
    # The candidates of three cells; each has a rise of its loss on each held-out batch, the mean of draws of noise.
    assert len(run.ratings) == 8
    assert run.ratings["rating"].notna().all()
    assert (run.ratings["rating_batches"].map(len) == 4).all()
    assert np.isclose(run.ratings["rating"], run.ratings["rating_batches"].map(np.mean)).all()
    assert run.ranking["score"].is_monotonic_increasing
    assert "Ratings by block" in report(run.path).read_text()  # here its module cannot be imported
    # The same again runs nothing; ratings by a method that has changed are made anew, what it rates is not.
    changed = (tmp_path / "flatness.py").read_text() + "\n# changed\n"
    (tmp_path / "flatness.py").write_text(changed)
    assert "3 units run" in launched(tmp_path)
