"""What messages about a config advise: done as they say, the message does not come again."""

import re

import pytest
import torch
import yaml

from nasray.cli import main
from nasray.planning.resolve import resolve
from nasray.run.folder import RunFolder
from nasray.search_spaces.build import build_space
from nasray.settings.loading import load_config
from nasray.sweeps.unit import SweptUnit
from nasray.tracking.mlflow_place import tracking_uri
from nasray.trainables.core.compute import prepare
from nasray.trainables.settings.compute import ComputeConfig

TRAIN = {"epochs": 1, "batch_size": 64}
SD_DARTS = {"method": "sd_darts", "epochs": 4, "batch_size": 64}
TAUGHT = {"distillation": {"logits": 1.0}}
SWEEP = {
    "unit": "block_1/2x16",
    "objectives": {"held_out_relative_l1": "min"},
    "domains": {"searches.0.lr": {"low": 0.001, "high": 0.03}},
}
WITHOUT_SWAP_IN = {
    "ranking": {"by": "swap_in"},
    "searches": [{"method": "dna", "rating": {"swap_in_images": 0}}],
}
SMALL_VIT = {
    "source": "nasray.trainables.teacher.small_vit:small_vit",
    "cuts": [f"encoder.layers.encoder_layer_{layer}" for layer in (1, 5)],
}
PLUS = {"method": "dna_plus", "generations": 2}


def searching(**settings):
    return {"searches": [SD_DARTS | settings], "teacher": None}


def training(**settings):
    return {"teacher": {"source": "largest", "train": TRAIN | settings}}


IN_THE_CONFIG = [
    (WITHOUT_SWAP_IN, "set searches.0.rating.swap_in_images above 0", "searches.0.rating.swap_in_images=8"),
    (WITHOUT_SWAP_IN, "or ranking.by=score", "ranking.by=score"),
    (
        {"searches": [PLUS]},
        "set retrain.top to 1 or more and retrain.distillation, {} for its defaults",
        "retrain={top: 1, distillation: {}}",
    ),
    ({"searches": [PLUS, SD_DARTS]}, "give the others a config of their own", "searches=[{method: dna}]"),
    (
        {"searches": [PLUS], "sweep": SWEEP, "retrain": {"distillation": {}}},
        "give that a config of its own",
        "sweep=null",
    ),
    (
        {"teacher": {"source": "largest"}, "retrain": {"distillation": {"multi_step": True}}},
        "give teacher.train",
        "teacher.train={epochs: 1}",
    ),
    ({"resources": {"gpus_per_unit": 2}}, "set both alike", "compute.num_processes=2"),
    (
        {"sweep": SWEEP | {"objectives": {"test_accuracy": "max"}}},
        "take held_out_accuracy",
        "sweep.objectives={held_out_accuracy: max}",
    ),
    (
        searching(self_distillation={"start_epoch": 9}),
        "lower these",
        "searches.0.self_distillation.start_epoch=3",
    ),
    (
        searching(self_distillation={"start_epoch": 9}),
        "or set self_distillation to null",
        "searches.0.self_distillation=null",
    ),
    (
        searching(early_stopping={}),
        "lower these or measure.every_epochs",
        "searches.0.early_stopping={window: 1, lag: 1}",
    ),
    (
        searching(early_stopping={"window": 1, "lag": 1, "earliest": 9}),
        "lower these or measure.every_epochs",
        "searches.0.early_stopping.earliest=0",
    ),
    (
        searching(self_distillation={"mode": "cache", "unit": "step"}),
        "set mode: forward",
        "searches.0.self_distillation.mode=forward",
    ),
    (
        searching(self_distillation={"mode": "cache", "unit": "step"}),
        "unit must be epoch",
        "searches.0.self_distillation.unit=epoch",
    ),
    (
        searching(self_distillation={"ema_decay": 0.5}),
        "which has none: leave it out",
        "searches.0.self_distillation={}",
    ),
    ({"retrain": {"distillation": {"logits": 0.0}}}, "leave distillation out", "retrain.distillation=null"),
    (
        {"search_space": {"source": "digits", "blocks": []} | {"stem": [{"operation": "conv3", "width": 8}]}},
        "remove it or set source: declared",
        "search_space={source: digits}",
    ),
]


@pytest.mark.parametrize(("changes", "advice", "change"), IN_THE_CONFIG)
def test_a_config_that_is_changed_as_its_message_says_is_one(tiny, changes, advice, change):
    with pytest.raises(ValueError, match=re.escape(advice)):
        load_config(tiny(**changes))
    load_config(tiny(**changes), [change])


def prepared(config, changes=()):
    requested = load_config(config, changes)
    folder = RunFolder.of(requested)
    resolved, inputs = resolve(requested, folder, planned=True)
    if resolved.sweep is not None:
        SweptUnit(resolved.sweep.unit, resolved, folder, inputs).planned(resolved.sweep)


BEFORE_ANYTHING_RUNS = [
    (searching(batch_size=200), "lower its batch_size", ["searches.0.batch_size=64"]),
    (searching(batch_size=200), "or raise data.num_train_images", ["data.num_train_images=500"]),
    (
        searching(self_distillation={"unit": "step", "every": 99}),
        "lower it",
        ["searches.0.self_distillation.every=2"],
    ),
    (
        searching(self_distillation={"unit": "step", "every": 99}),
        "or set its self_distillation to null",
        ["searches.0.self_distillation=null"],
    ),
    (
        {"teacher": {"source": "largest", "num_classes": 7}, "retrain": TAUGHT},
        "set retrain.distillation.logits=0 and retrain.distillation.features=1",
        None,
    ),
    (
        training() | {"teacher": {"source": "largest", "num_classes": 7, "train": TRAIN}},
        "raise teacher.num_classes",
        ["teacher.num_classes=10"],
    ),
    (
        training() | {"teacher": {"source": "largest", "num_classes": 7, "train": TRAIN}},
        "leave out teacher.train",
        ["teacher.train=null"],
    ),
    (
        {"teacher": {"source": "largest", "num_classes": 12, "train": TRAIN | {"mixup": 0.2}}},
        "leave out teacher.num_classes",
        ["teacher.num_classes=null"],
    ),
    (
        {"teacher": {"source": "largest", "num_classes": 12, "train": TRAIN | {"mixup": 0.2}}},
        "or set teacher.train.mixup and teacher.train.cutmix to 0",
        ["teacher.train.mixup=0.0", "teacher.train.cutmix=0.0"],
    ),
    (
        {"data": {"source": "digits", "num_train_images": 1700}},
        "lower data.num_train_images, data.num_held_out_images or data.held_out_fraction",
        ["data.num_train_images=900"],
    ),
    (
        {"data": {"source": "digits", "image_size": 9}, "teacher": SMALL_VIT},
        "set data.image_size",
        ["data.image_size=8", "search_space.blocks.1.stride=1"],
    ),
    (
        {"teacher": SMALL_VIT},
        "move teacher.cuts or change the block's stride",
        ["search_space.blocks.1.stride=1"],
    ),
    (
        {"sweep": SWEEP | {"domains": {"ranking.top": {"low": 1, "high": 2}}}},
        "take it out",
        ["sweep.domains={searches.0.lr: {low: 0.1, high: 0.2}}"],
    ),
    (
        {"sweep": SWEEP | {"domains": {**SWEEP["domains"], "seed": {"low": 3, "high": 4}}}},
        "take seed out, or sweep with each of its values under a name of its own (name=... seed=3)",
        ["sweep.domains={searches.0.lr: {low: 0.1, high: 0.2}}", "name=of_its_own", "seed=3"],
    ),
]


@pytest.mark.parametrize(("changes", "advice", "overrides"), BEFORE_ANYTHING_RUNS)
def test_a_search_that_is_changed_as_its_message_says_can_begin(tiny, changes, advice, overrides):
    with pytest.raises(ValueError, match=re.escape(advice)) as told:
        prepared(tiny(**changes))
    if overrides is None:  # they stand in the message
        overrides = re.findall(r"[\w.]+=\w+", str(told.value))
    prepared(tiny(**changes), overrides)


def test_a_device_that_there_is_not_is_changed_as_the_message_says(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"set compute\.device=auto or compute\.device=cpu") as told:
        prepare(ComputeConfig(device="cuda"))
    for device in re.findall(r"compute\.device=(\w+)", str(told.value)):
        assert prepare(ComputeConfig(device=device)).type == "cpu"


@pytest.mark.parametrize(
    ("section", "values", "key"),
    [
        ("tracking", {"uri": "http://me:secret@host:5000"}, "MLFLOW_TRACKING_URI"),
        ("storage", {"root": "s3://key:secret@bucket/runs"}, "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_a_secret_goes_into_the_environment(tiny, monkeypatch, section, values, key):
    with pytest.raises(ValueError, match=f"set .*{key}"):
        load_config(tiny(**{section: values}))
    monkeypatch.setenv(key, "http://me:secret@host:5000")
    config = load_config(tiny(**{section: {}}))
    assert section == "storage" or tracking_uri(config) == "http://me:secret@host:5000"


@pytest.mark.parametrize(
    ("num_classes", "advice"), [(7, "set teacher.num_classes=7"), (10, "set teacher.allow_chance=true")]
)
def test_a_checkpoint_is_taken_as_its_message_says(tiny, tmp_path, num_classes, advice):
    space = build_space(load_config(tiny()).search_space, (1, 8, 8), num_classes)
    torch.manual_seed(0)
    path = tmp_path / "weights.pth"
    torch.save(space.build(space.largest()).state_dict(), path)
    config = tiny(teacher={"source": "largest", "weights": str(path)})
    with pytest.raises(ValueError, match=re.escape(advice)):
        prepared(config)
    prepared(config, [advice.removeprefix("set ")])


def test_the_cuts_that_a_teacher_may_have_are_listed_for_a_config_with_others(tiny, tmp_path, capsys):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny(teacher={"source": "largest", "cuts": ["blocks.0"]})))
    assert main(["search", str(path), "--dry-run"]) == 2
    assert "(`nasray inspect teacher CONFIG` lists the possible ones)" in capsys.readouterr().err
    assert main(["inspect", "teacher", str(path)]) == 0
    assert "blocks.1" in capsys.readouterr().out
