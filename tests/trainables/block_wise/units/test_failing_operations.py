"""Cells with an operation of a user's own that fails in training or in evaluation."""

import importlib
import sys

import pytest

from nasray.search_spaces.artefacts import rating_table
from nasray.trainables.block_wise.left_out import LeftOut, leave_out
from nasray.trainables.block_wise.units.cell import BlockSpec
from nasray.trainables.block_wise.units.cell_target import CellTarget
from nasray.trainables.core.guards.notes import NOTES
from nasray.trainables.core.trainable import read_done
from nasray.trainables.settings.block_distillation import BlockDistillationConfig
from nasray.trainables.teacher.unit import TeacherSpec
from nasray.trainables.units import run_unit

OPERATIONS = """
from torch import nn

calls = 0


class Late(nn.Conv2d):
    def forward(self, maps):
        global calls
        calls += self.training
        if calls > 6:
            raise KeyError("scale")
        return super().forward(maps)


def late(in_channels, out_channels, stride):
    return Late(in_channels, out_channels, 1, stride)
"""


@pytest.fixture
def late(search, tmp_path, monkeypatch):
    """A cell with an operation that fails in the second epoch of its training."""
    (tmp_path / "late_operations.py").write_text(OPERATIONS)
    monkeypatch.syspath_prepend(tmp_path)
    block = {"stride": 2, "operations": ["skip", "mb3k3"], "cells": [{"depth": 1, "width": 12}]}
    space = {
        "source": "declared",
        "stem": [{"operation": "conv3", "width": 8}],
        "blocks": [block, block | {"operations": ["mb3k3", "late", "skip"]}],
        "operations": {"late": "late_operations:late"},
    }
    teacher = search.teacher.model_dump() | {
        "train": {"epochs": 1, "batch_size": 64, "optimizer": "adamw", "lr": 0.01}
    }
    plain = search.model_dump() | {
        "search_space": space,
        "teacher": teacher,
        "teacher_folder": tmp_path / "teacher",
    }
    inputs = type(search).model_validate(plain)
    list(run_unit(TeacherSpec.of(inputs)))
    importlib.import_module("late_operations").calls = 0
    rating = {"num_batches": 2, "calibration_images": 32, "calibration_batch_size": 32, "swap_in_images": 0}
    config = BlockDistillationConfig.model_validate({"epochs": 2, "batch_size": 64, "rating": rating})

    def build(name):
        folder = tmp_path / name
        target = CellTarget(
            block=1, cell="1x12", config=config, folder=folder, table=folder / "ratings.parquet"
        )
        return BlockSpec(name="block_1/1x12", folder=folder, inputs=inputs, target=target, rate=True)

    yield build
    del sys.modules["late_operations"]


def test_a_cell_whose_operation_fails_in_training_is_that_of_a_training_without_it(late):
    failed, without = late("failed"), late("without")
    told = list(run_unit(failed))
    assert [metrics["epoch"] for metrics in told] == [1, 1, 2]  # it failed in the second
    (note,) = told[1][NOTES]
    assert note.startswith(
        "block 1: `late` in layer 0 is left out (KeyError in training at late_operations.py:12: "
    )
    leave_out(without.folder, without.fingerprint, LeftOut(0, "late", "said before"))
    assert [metrics["epoch"] for metrics in run_unit(without)] == [1, 2]
    assert failed.target.weights.read_bytes() == without.target.weights.read_bytes()
    assert len(read_done(failed.folder)["history"]) == 2


def test_its_candidates_alone_have_no_rating_and_say_why(late):
    spec = late("failed")
    list(run_unit(spec))
    table = rating_table.read(spec.target.table)
    failed = table["operations"] == "late"
    assert table["failure"].notna().tolist() == failed.tolist()
    assert set(table.loc[failed, "failure"]) == {"KeyError in training at late_operations.py:12: 'scale'"}
    assert failed.sum() == len(table) // 3


def test_what_was_left_out_of_other_code_is_tried_again(late):
    spec = late("failed")
    spec.folder.mkdir()
    leave_out(spec.folder, "of other code", LeftOut(0, "skip", "it failed"))
    list(run_unit(spec))
    table = rating_table.read(spec.target.table)
    assert table.loc[table["operations"] == "skip", "failure"].isna().all()
