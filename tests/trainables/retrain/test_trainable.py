import pytest
import torch

from nasray.search_spaces.settings import SpaceConfig
from nasray.trainables.core.compute import place_module
from nasray.trainables.core.seeding import seed_global_generators
from nasray.trainables.core.trainable import load_checkpoint
from nasray.trainables.core.training import train_epoch
from nasray.trainables.inputs import UnitInputs
from nasray.trainables.retrain.trainable import RetrainSpec, read_retrained
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.settings.training import RetrainConfig
from nasray.trainables.supervised.step import SupervisedTraining
from nasray.trainables.units import run_unit

GENOTYPE = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|"
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
    def build(name="retrain"):
        return RetrainSpec(
            name=name,
            folder=tmp_path / name,
            inputs=inputs,
            architecture=GENOTYPE,
            config=RetrainConfig(train={"epochs": 3, "batch_size": 32, "lr": 0.1}),
            training_seed=0,
        )

    return build


def test_the_accuracy_is_that_of_the_network_trained_by_hand(spec, inputs):
    unit = spec()
    metrics = list(run_unit(unit))
    assert [one.get("epoch") for one in metrics] == [1, 2, 3, None]
    seed_global_generators(0, "retrain", "start")
    network = place_module(inputs.compute, inputs.space.build(GENOTYPE), torch.device("cpu"))
    method = SupervisedTraining(network, inputs.images, unit.config.train, inputs.compute, seed=0)
    for epoch in range(3):
        train_epoch(method, epoch)
    test = inputs.images.test
    with torch.no_grad():
        answers = network.eval()(test.images(range(50))).argmax(1)
    expected = float((answers == test.labels(range(50))).float().mean())
    assert metrics[-1] == {"test_accuracy": pytest.approx(expected)}
    told = read_retrained(unit.folder)
    assert told["test_accuracy"] == pytest.approx(expected)
    assert told["held_out_accuracy"] == metrics[-2]["held_out_accuracy"]


def test_the_name_of_the_unit_changes_nothing(spec):
    first, second = (next(iter(run_unit(spec(name)))) for name in ("a", "b"))
    assert {key: first[key] for key in first.keys() - NOT_COMPARED} == {
        key: second[key] for key in second.keys() - NOT_COMPARED
    }


def test_the_checkpoint_goes_when_the_training_is_done(spec):
    unit = spec()
    with pytest.raises(FileNotFoundError):
        read_retrained(unit.folder)
    running = run_unit(unit)
    next(running)
    assert load_checkpoint(unit.folder / "last.pt") is not None
    running.close()
    list(run_unit(unit))
    assert sorted(path.name for path in unit.folder.iterdir()) == [
        *("done.json", "network.safetensors", "retrained.json")
    ]
