"""A search with operations that misbehave: each is named, left out, and the rest goes on."""

import subprocess
import sys

import pytest
import yaml

from nasray.analysis import load_run

pytestmark = pytest.mark.timeout(600)

OPERATIONS = """
import time

from torch import nn


class Raising(nn.Conv2d):
    def forward(self, maps):
        if self.training and len(maps) > 4:
            raise KeyError("scale")
        return super().forward(maps)


class Hanging(nn.Conv2d):
    def forward(self, maps):
        if not self.training and len(maps) > 4:
            time.sleep(10**6)
        return super().forward(maps)


def raising(in_channels, out_channels, stride):
    return Raising(in_channels, out_channels, 1, stride)


def hanging(in_channels, out_channels, stride):
    return Hanging(in_channels, out_channels, 1, stride)
"""


def test_what_raises_in_training_and_what_hangs_in_evaluation_are_left_out(tiny, tmp_path):
    """With a real Ray, since only a process that is ended and started again ends what hangs."""
    (tmp_path / "misbehaving.py").write_text(OPERATIONS)
    config = tiny(resources={"address": "local", "max_step_seconds": 4})
    operations = {"raising": "misbehaving:raising", "hanging": "misbehaving:hanging"}
    space = config["search_space"] | {"operations": operations}
    first, second = space["blocks"]
    space["blocks"] = [
        first | {"operations": ["raising", "mb3k3"], "cells": [{"depth": 1, "width": 8}]},
        second | {"operations": ["hanging", "sep3"]},
    ]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config | {"search_space": space}))
    # A process of its own: a Ray that other tests started would not see this module.
    command = [sys.executable, "-m", "nasray", "search", "config.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 3, done.stderr
    text = " ".join(done.stdout.split())
    assert "block_1/2x16: no step for 4 s at misbehaving.py:17; it is started again" in text
    assert text.count("it is started again") == 1
    assert (
        "Proved: no other of the 1 rated architectures within the budgets is better than those listed; 7 more are "
        "not ranked, since these candidates have no rating: 1 of the 2 in block 0, with `raising` (KeyError in "
        "training at misbehaving.py:10: 'scale'); 3 of the 4 in block 1, each with `hanging` (no step for 4 s at "
        "misbehaving.py:17)."
    ) in text
    ratings = load_run(tmp_path / "runs" / "tiny").ratings
    assert ratings["failure"].isna().sum() == 2
