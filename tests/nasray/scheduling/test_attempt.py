"""What an attempt at a unit leaves where it fails, in this process."""

import importlib
import sys

import pytest
from ray.exceptions import RayTaskError

from nasray.scheduling.attempt import Attempt, PassingError, reason_of_trial, told_failure
from nasray.search_spaces.files.atomic_file import write_json
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.teacher.unit import TeacherSpec

TEACHERS = """
from torch import nn

error = None


class Faulty(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.low = nn.Conv2d(1, 4, 3, 2, 1)
        self.high = nn.Sequential(nn.Conv2d(4, 4, 3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(4, num_classes)

    def forward(self, images):
        if error is not None:
            raise error
        return self.head(self.high(self.low(images)))


def build(input_shape, num_classes):
    return Faulty(num_classes)
"""


@pytest.fixture
def teachers(tmp_path, monkeypatch):
    (tmp_path / "faulty_teachers.py").write_text(TEACHERS)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("faulty_teachers")
    del sys.modules["faulty_teachers"]


@pytest.fixture
def spec(teachers, tmp_path):
    layer = {"stride": 2, "operations": ["conv3"], "cells": [{"depth": 1, "width": 4}]}
    inputs = SearchInputs.model_validate(
        {
            "seed": 0,
            "data": {"num_train_images": 64, "num_held_out_images": 32},
            "teacher": {
                "source": "faulty_teachers:build",
                "cuts": ["low", "high"],
                "train": {"epochs": 1, "batch_size": 32, "optimizer": "adamw", "lr": 0.01},
            },
            "search_space": {"source": "declared", "blocks": [layer, layer]},
            "features": {"mode": ["online"] * 2},
            "compute": {"device": "cpu"},
            "teacher_folder": tmp_path / "teacher",
            "features_root": tmp_path / "features",
        }
    )
    return TeacherSpec.of(inputs)


def attempt(spec, launch="first"):
    """The reason of a failure, and what was reported."""
    told = []
    return Attempt(spec, launch, 3600.0, lambda: None).run(told.append), told


def test_what_would_come_again_is_given_back_with_its_place_and_traceback(spec, teachers):
    teachers.error = KeyError("scale")
    reason, told = attempt(spec)
    assert (reason, told) == ("KeyError at faulty_teachers.py:16: 'scale'", [])
    text = told_failure(spec.folder).read_text()
    assert text.startswith(f"{reason}\n\nTraceback (most recent call last):\n")
    assert text.endswith("KeyError: 'scale'\n")


def test_what_may_pass_is_raised_with_its_place(spec, teachers):
    teachers.error = ConnectionResetError("the store\nis away")
    reason = "ConnectionResetError at faulty_teachers.py:16: the store is away"
    with pytest.raises(PassingError) as caught:
        attempt(spec)
    assert str(caught.value) == reason
    assert reason_of_trial(RayTaskError("run", "long\ntext", caught.value), spec.folder) == reason


def test_a_success_leaves_no_failure(spec, teachers):
    teachers.error = KeyError("scale")
    attempt(spec)
    teachers.error = None
    reason, told = attempt(spec)
    assert reason is None
    assert told[0]["epoch"] == 1
    assert told_failure(spec.folder) is None


def test_what_hung_is_not_run_again_before_the_next_launch(spec):
    write_json(spec.folder / "hung.json", {"launch": "first", "reason": "no step for 8 s"})
    assert attempt(spec) == ("no step for 8 s", [])
    reason, told = attempt(spec, launch="second")
    assert reason is None
    assert told


def test_a_process_that_died_says_what_its_watchdog_left(spec):
    assert reason_of_trial(OSError("The actor died"), spec.folder) == "its process or its node died"
    spec.folder.mkdir(parents=True)
    (spec.folder / "failure.txt").write_text("no step for 8 s at data.py:9\n\nIt stood there:\n")
    assert reason_of_trial(OSError("The actor died"), spec.folder) == "no step for 8 s at data.py:9"
