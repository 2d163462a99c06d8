"""The unit that trains one architecture: from scratch, from its blocks' weights, with the teacher, in steps."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file

from nasray.trainables.block_wise.units.cell import BlockSpec
from nasray.trainables.block_wise.units.cell_target import CellTarget
from nasray.trainables.core.trainable import read_done
from nasray.trainables.inputs import SearchInputs, UnitInputs
from nasray.trainables.retrain import trainable
from nasray.trainables.retrain.trainable import RetrainSpec, read_retrained
from nasray.trainables.settings.block_distillation import BlockDistillationConfig
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.settings.training import RetrainConfig
from nasray.trainables.teacher.unit import TeacherSpec
from nasray.trainables.units import parse_spec, run_unit

ARCHITECTURE = "1x8:mb3k3/1x12:sep3"
SPACE = {
    "source": "declared",
    "stem": [{"operation": "conv3", "width": 6}],
    "operations": {},
    "blocks": [
        {"stride": 1, "operations": ["skip", "mb3k3"], "cells": [{"depth": 1, "width": 8}]},
        {"stride": 2, "operations": ["sep3", "mb3k3"], "cells": [{"depth": 1, "width": 12}]},
    ],
}
TRAIN = {"epochs": 2, "batch_size": 32, "lr": 0.05}
NOT_COMPARED = {"seconds", "samples_per_second", "data_wait_share", "replayed"}


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """The inputs of a search whose teacher and cells are trained, and the cells."""
    folder = tmp_path_factory.mktemp("search")
    inputs = SearchInputs.model_validate(
        {
            "seed": 0,
            "data": {
                "num_train_images": 96,
                "num_held_out_images": 40,
                "num_test_images": 50,
                "augment": {"crop_padding": 1},
            },
            "teacher": {"source": "largest", "train": {**TRAIN, "epochs": 3}},
            "search_space": SPACE,
            "features": {"mode": ["online", "online"]},
            "compute": {"device": "cpu"},
            "teacher_folder": folder / "teacher",
            "features_root": folder / "features",
        }
    )
    list(run_unit(TeacherSpec.of(inputs, keep_epochs=True)))
    targets = []
    for block, space in enumerate(inputs.space.blocks):
        name = f"block_{block}/{space.cells[0].name}"
        where = folder / name
        target = CellTarget(
            block=block,
            cell=space.cells[0].name,
            config=BlockDistillationConfig(epochs=1, batch_size=32, rating={"num_batches": 2}),
            folder=where,
            table=where / "table.parquet",
        )
        list(run_unit(BlockSpec(name=name, folder=where, inputs=inputs, target=target, rate=False)))
        targets.append(target)
    return inputs, tuple(targets)


@pytest.fixture
def plain(search):
    """The same inputs without the search's teacher."""
    inputs = search[0]
    return UnitInputs(seed=0, data=inputs.data, search_space=inputs.search_space, compute=inputs.compute)


@pytest.fixture
def spec(tmp_path):
    def build(inputs, name="retrain", *, seed=0, targets=(), train=(), **settings):
        config = RetrainConfig.model_validate({"train": {**TRAIN, **dict(train)}, **settings})
        return RetrainSpec(
            name="retrain",
            folder=tmp_path / name,
            inputs=inputs,
            architecture=ARCHITECTURE,
            config=config,
            training_seed=seed,
            targets=targets,
        )

    return build


def weights(unit):
    list(run_unit(unit))
    assert unit.is_done
    return (unit.folder / "network.safetensors").read_bytes()


def test_a_network_is_trained_tested_and_kept(spec, plain):
    unit = spec(plain, train={"ema_decay": 0.9})
    metrics = list(run_unit(unit))
    network = plain.space.build(ARCHITECTURE)
    network.load_state_dict(load_file(unit.folder / "network.safetensors"))
    expected = {}
    for split in (plain.images.held_out, plain.images.test):
        answers = network.eval()(split.images(range(len(split)))).argmax(1)
        expected[split.name] = float((answers == split.labels(range(len(split)))).float().mean())
    cost = plain.space.cost(ARCHITECTURE)
    told = read_retrained(unit.folder)
    assert math.isfinite(told.pop("naswot"))
    assert math.isfinite(told.pop("synflow"))
    assert RetrainConfig.model_validate(told.pop("settings")) == unit.config
    assert told == {
        "architecture": ARCHITECTURE,
        "seed": 0,
        "test_accuracy": pytest.approx(expected["test"]),
        "held_out_accuracy": pytest.approx(expected["held_out"]),
        "num_params": cost.num_params,
        "num_macs": cost.num_macs,
    }
    assert metrics[-1] == {"test_accuracy": pytest.approx(expected["test"])}
    assert sum(p.numel() for p in network.parameters()) == cost.num_params


def test_what_was_trained_tells_how(spec, search):
    settings = {"train": {"ema_decay": 0.9}, "init": "inherited", "distillation": {"features": 0.5}}
    unit = spec(search[0], targets=search[1], **settings)
    list(run_unit(unit))
    told = read_retrained(unit.folder)["settings"]
    assert (told["train"]["epochs"], told["train"]["batch_size"], told["train"]["optimizer"]) == (
        2,
        32,
        "sgd",
    )
    assert (told["init"], told["distillation"]["features"]) == ("inherited", 0.5)


def test_proxies_that_cannot_be_computed_cost_no_training(spec, plain, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("expected Float, found Double")

    monkeypatch.setattr(trainable, "zero_cost_proxies", fail)
    unit = spec(plain)
    list(run_unit(unit))
    assert unit.is_done
    assert "naswot" not in read_retrained(unit.folder)
    assert "zero-cost proxies of Network could not be computed: expected Float" in caplog.text


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(spec, plain):
    first, again, other = (
        weights(spec(plain, name, seed=seed)) for name, seed in zip("abc", (3, 3, 4), strict=True)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    "settings",
    [
        {"train": {"ema_decay": 0.9, "mixup": 0.4, "cutmix": 1.0}},
        {"distillation": {"features": 1.0, "multi_step": True}},
        {"init": "inherited"},
    ],
    ids=["ema and mixing", "in steps", "inherited"],
)
def test_an_interruption_leaves_no_trace(spec, search, settings):
    inputs, targets = search
    settings = {"targets": targets, **settings} if "init" in settings else settings
    whole, parted = spec(inputs, "whole", **settings), spec(inputs, "parted", **settings)
    list(run_unit(whole))
    running = run_unit(parted)
    next(running)
    running.close()
    torch.rand(3)
    list(run_unit(parted))
    for file in ("network.safetensors", "retrained.json"):
        assert (whole.folder / file).read_bytes() == (parted.folder / file).read_bytes()
    histories = [
        [{key: value for key, value in one.items() if key not in NOT_COMPARED} for one in done["history"]]
        for done in (read_done(whole.folder), read_done(parted.folder))
    ]
    assert histories[0] == histories[1]


def test_test_images_are_looked_at_once(spec, plain, monkeypatch):
    seen = []
    measure = trainable.accuracy

    def watched(model, split, compute):
        seen.append(split.name)
        return measure(model, split, compute)

    monkeypatch.setattr(trainable, "accuracy", watched)
    test = plain.images.test
    monkeypatch.setattr(
        test, "images", lambda *_, original=test.images, **__: seen.append("read") or original(*_)
    )
    list(run_unit(spec(plain)))
    assert seen == ["test", "read"]


def test_inherited_weights_are_those_that_the_training_starts_from(spec, search):
    inputs, targets = search
    method = trainable._training(
        inputs, ARCHITECTURE, RetrainConfig(init="inherited"), seed=0, targets=targets
    )
    supernet = load_file(targets[1].weights)
    assert torch.equal(
        method.trained.blocks[1][0].branch[1][0].weight, supernet["first_layer.0.0.branch.1.0.weight"]
    )
    assert weights(spec(inputs, "a", init="inherited", targets=targets)) != weights(spec(inputs, "b"))


def test_the_teacher_in_steps_is_another_one(spec, search):
    inputs, _ = search
    taught = [
        weights(spec(inputs, str(steps), distillation={"logits": 3.0, "multi_step": steps}))
        for steps in (False, True)
    ]
    assert taught[0] != taught[1]


def test_it_is_known_by_what_it_depends_on_and_not_by_where_files_lie(spec, search, plain, tmp_path):
    inputs, targets = search
    unit = spec(inputs, init="inherited", targets=targets)
    plain_data = json.loads(json.dumps(unit.model_dump(mode="json")))
    received = parse_spec(plain_data)
    assert (received, received.fingerprint) == (unit, unit.fingerprint)
    moved = [t.model_copy(update={"folder": tmp_path / t.cell, "table": tmp_path / "x"}) for t in targets]
    assert spec(inputs, init="inherited", targets=tuple(moved)).fingerprint == unit.fingerprint
    longer = targets[0].model_copy(update={"config": BlockDistillationConfig(epochs=9)})
    others = [
        spec(inputs, init="inherited", targets=(longer, targets[1])),
        spec(inputs, init="inherited", targets=targets, seed=1),
        spec(inputs),
        spec(plain),
    ]
    assert len({unit.fingerprint, *(other.fingerprint for other in others)}) == 5
    assert type(parse_spec(spec(plain).model_dump(mode="json")).inputs) is UnitInputs


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"init": "inherited"}, "init: inherited needs the teacher of a block-wise search"),
        ({"distillation": {}}, "distillation needs the teacher of a block-wise search"),
    ],
)
def test_without_a_teacher_nothing_is_inherited_or_taught(spec, plain, settings, message):
    with pytest.raises(ValueError, match=message):
        list(run_unit(spec(plain, **settings)))


def test_a_genotype_is_trained_too(tmp_path):
    inputs = UnitInputs(
        seed=0,
        data=DataConfig(num_train_images=64, num_held_out_images=40, num_test_images=50),
        search_space={"source": "nasbench201", "channels": 4, "num_cells": 1},
        compute={"device": "cpu"},
    )
    genotype = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|"
    unit = RetrainSpec(
        name="retrain",
        folder=tmp_path / "retrain",
        inputs=inputs,
        architecture=genotype,
        config=RetrainConfig(train={**TRAIN, "epochs": 1}),
        training_seed=1,
    )
    list(run_unit(unit))
    assert read_retrained(unit.folder)["architecture"] == genotype
