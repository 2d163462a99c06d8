import copy
import json

import pytest
import torch

from nasray.search_spaces.settings import SpaceConfig
from nasray.trainables.core.compute import place_module
from nasray.trainables.core.seeding import seed_global_generators
from nasray.trainables.core.trainable import load_checkpoint, mark_done, read_done
from nasray.trainables.core.training import train_epoch
from nasray.trainables.inputs import UnitInputs
from nasray.trainables.retrain.trainable import RetrainFoundSpec, read_retrained
from nasray.trainables.sd_darts.trainable import SdDartsSpec
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.settings.sd_darts import SdDartsConfig
from nasray.trainables.settings.training import RetrainConfig, TrainConfig
from nasray.trainables.supervised.step import SupervisedTraining
from nasray.trainables.units import parse_spec, run_unit

GENOTYPE = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|"
FILES = ["done.json", "network.safetensors", "retrained.json"]
NOT_COMPARED = {"seconds", "samples_per_second", "data_wait_share", "replayed"}


@pytest.fixture(scope="module")
def inputs():
    return UnitInputs(
        seed=0,
        data=DataConfig(num_train_images=96, num_held_out_images=40, num_test_images=50),
        search_space=SpaceConfig(source="nasbench201", channels=4, num_cells=1),
        compute=ComputeConfig(device="cpu"),
    )


@pytest.fixture
def spec(inputs, tmp_path):
    """A retraining, with a search before it that found an architecture."""

    def build(name="retrain", *, found=True, **settings):
        search = SdDartsSpec(name="search", folder=tmp_path / "search", inputs=inputs, config=SdDartsConfig())
        if found:
            search.folder.mkdir(exist_ok=True)
            content = {"architecture": GENOTYPE, "epoch": 1, "num_params": 1, "num_macs": 1, "weights": {}}
            (search.folder / "found.json").write_text(json.dumps(content))
            mark_done(search.folder, search.fingerprint, [])
        config = TrainConfig(**{"epochs": 3, "batch_size": 32, "lr": 0.1} | settings)
        return RetrainFoundSpec(
            name=name, folder=tmp_path / name, inputs=inputs, search=search, config=config
        )

    return build


def comparable(metrics):
    return [{key: value for key, value in one.items() if key not in NOT_COMPARED} for one in metrics]


def test_what_was_found_is_trained_and_tested(spec, inputs):
    """The accuracy is that of the network trained by hand on all training images, on the test images."""
    unit = spec()
    metrics = list(run_unit(unit))
    assert unit.is_done
    assert [one.get("epoch") for one in metrics] == [1, 2, 3, None]
    seed_global_generators(0, "retrain", "start")
    network = place_module(inputs.compute, inputs.space.build(GENOTYPE), torch.device("cpu"))
    method = SupervisedTraining(network, inputs.images, unit.config, inputs.compute, seed=0)
    for epoch in range(3):
        train_epoch(method, epoch)
    test = inputs.images.test
    with torch.no_grad():
        answers = network.eval()(test.images(range(50))).argmax(1)
    expected = float((answers == test.labels(range(50))).float().mean())
    assert metrics[-1] == {"test_accuracy": pytest.approx(expected)}
    cost = inputs.space.cost(GENOTYPE)
    told = read_retrained(unit.folder)
    assert RetrainConfig.model_validate(told.pop("settings")) == RetrainConfig(train=unit.config)
    assert {told.pop(name) is not None for name in ("naswot", "synflow")} == {True}
    assert told == {
        "architecture": GENOTYPE,
        "seed": 0,
        "test_accuracy": pytest.approx(expected),
        "held_out_accuracy": metrics[-2]["held_out_accuracy"],
        "num_params": cost.num_params,
        "num_macs": cost.num_macs,
    }


def test_an_interrupted_training_ends_like_one_that_was_not(spec):
    whole, parted = spec("whole"), spec("parted")
    list(run_unit(whole))
    for epochs in (1, 2):
        running = run_unit(parted)
        for _ in range(epochs):
            next(running)
        running.close()
        torch.rand(3)
    list(run_unit(parted))
    histories = [comparable(read_done(unit.folder)["history"]) for unit in (whole, parted)]
    assert histories[0] == histories[1]
    files = [(unit.folder / "retrained.json").read_bytes() for unit in (whole, parted)]
    assert files[0] == files[1]


def test_the_name_of_the_unit_changes_nothing(spec):
    first, second = (next(iter(run_unit(spec(name)))) for name in ("a", "b"))
    assert comparable([first]) == comparable([second])


def test_nothing_is_read_before_the_search_has_found(spec):
    unit = spec(found=False)
    with pytest.raises(FileNotFoundError, match=r"found\.json"):
        list(run_unit(unit))
    with pytest.raises(FileNotFoundError):
        read_retrained(unit.folder)


def test_the_settings_of_the_search_are_part_of_what_it_is_known_by(spec):
    unit = spec()
    received = parse_spec(unit.model_dump(mode="json"))
    assert (received, received.fingerprint) == (unit, unit.fingerprint)
    other = copy.deepcopy(unit.search.config).model_copy(update={"epochs": 7})
    search = unit.search.model_copy(update={"config": other})
    changed = RetrainFoundSpec(
        name=unit.name, folder=unit.folder, inputs=unit.inputs, search=search, config=unit.config
    )
    assert changed.fingerprint != unit.fingerprint


def test_the_checkpoint_goes_when_the_training_is_done(spec):
    unit = spec()
    running = run_unit(unit)
    next(running)
    assert load_checkpoint(unit.folder / "last.pt") is not None
    running.close()
    list(run_unit(unit))
    assert sorted(path.name for path in unit.folder.iterdir()) == FILES
