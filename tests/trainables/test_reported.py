"""Each kind of unit that trains reports the figures that it declares, and no others."""

import pytest

from nasray.trainables.block_wise.units.cell import BlockSpec
from nasray.trainables.block_wise.units.cell_target import CellTarget
from nasray.trainables.core.trainable import read_done
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.retrain.trainable import RetrainSpec
from nasray.trainables.sd_darts.trainable import SdDartsSpec
from nasray.trainables.teacher.unit import TeacherSpec
from nasray.trainables.units import run_unit

SPACE = {
    "source": "declared",
    "blocks": [{"stride": 2, "operations": ["skip", "conv3"], "cells": [{"depth": 1, "width": 8}]}],
}
TRAIN = {"epochs": 2, "batch_size": 16, "lr": 0.01}
SD_DARTS = {
    "epochs": 2,
    "batch_size": 8,
    "alpha_start_epoch": 1,
    "self_distillation": {"start_epoch": 1, "applies_to": "both"},
    "measure": {"every_epochs": 2, "num_images": 8, "calibration_images": 8, "noise_sigmas": [0.1]},
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """The inputs of a search whose teacher is there, trained for two epochs."""
    folder = tmp_path_factory.mktemp("search")
    data = {
        "num_train_images": 32,
        "num_held_out_images": 32,
        "num_test_images": 16,
        "augment": {"crop_padding": 1},
    }
    inputs = SearchInputs.model_validate(
        {
            "seed": 0,
            "data": data,
            "teacher": {"source": "largest", "train": TRAIN},
            "search_space": SPACE,
            "features": {"mode": ["online"]},
            "compute": {"device": "cpu"},
            "teacher_folder": folder / "teacher",
            "features_root": folder / "features",
        }
    )
    list(run_unit(TeacherSpec.of(inputs)))
    return inputs


def cell(inputs, folder, **config):
    rating = {"num_batches": 2, "calibration_images": 16, "swap_in_images": 0}
    config = {"epochs": 2, "batch_size": 16, "rating": rating} | config
    target = CellTarget(block=0, cell="1x8", config=config, folder=folder, table=folder / "table.parquet")
    return BlockSpec(name="block_0/1x8", folder=folder, inputs=inputs, target=target, rate=False)


def training(inputs, folder, **config):
    return RetrainSpec.model_validate(
        {
            "name": "retrain",
            "folder": folder,
            "inputs": inputs,
            "architecture": "1x8:conv3",
            "config": {"train": TRAIN} | config,
            "training_seed": 0,
        }
    )


def search(inputs, folder, **config):
    settings = SD_DARTS | config
    return SdDartsSpec.model_validate(
        {"name": "sd_darts", "folder": folder, "inputs": inputs, "config": settings}
    )


def teacher(inputs, folder, **config):
    own = SearchInputs.model_validate(inputs.model_dump() | {"teacher": config, "teacher_folder": folder})
    return TeacherSpec.of(own)


@pytest.mark.parametrize(
    ("build", "config"),
    [
        (teacher, {"train": TRAIN}),
        (teacher, {}),
        (teacher, {"num_classes": 7}),
        (cell, {"method": "dna"}),
        (cell, {"method": "dna_plus_plus", "projection_width": 4, "hidden_width": 8}),
        (training, {}),
        (training, {"distillation": {"features": 1.0}}),
        (training, {"distillation": {"logits": 0.0, "features": 1.0}}),
        (search, {}),
        (
            search,
            {
                "alpha_start_epoch": 0,
                "self_distillation": None,
                "measure": SD_DARTS["measure"] | {"every_epochs": 1},
            },
        ),
        (search, {"self_distillation": {"start_epoch": 1, "applies_to": "weights"}}),
    ],
)
def test_a_unit_reports_what_it_declares(inputs, tmp_path, build, config):
    spec = build(inputs, tmp_path / "unit", **config)
    list(run_unit(spec))
    history = read_done(spec.folder)["history"]
    figures = [
        (
            {name for name, value in report.items() if isinstance(value, float)} - {"test_accuracy"},
            "epoch" in report,
        )
        for report in history
    ]
    of_epochs = [names for names, ends_epoch in figures if ends_epoch]
    assert spec.reported.after_epochs == (set.intersection(*of_epochs) if of_epochs else set())
    assert spec.reported.by_the_end == set().union(*(names for names, _ in figures))
