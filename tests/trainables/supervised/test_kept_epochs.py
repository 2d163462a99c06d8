import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nasray.search_spaces.chain.mbconv import digits
from nasray.trainables.core.trainable import DamagedCheckpointError
from nasray.trainables.core.training import train_epoch
from nasray.trainables.data.image_data import load_data
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.settings.training import TrainConfig
from nasray.trainables.supervised.kept_epochs import KeptEpochs, epoch_weights
from nasray.trainables.supervised.step import SupervisedTraining

COMPUTE = ComputeConfig(device="cpu")


@pytest.fixture(scope="module")
def images():
    return load_data(DataConfig(num_train_images=64, num_held_out_images=40), seed=0)


@pytest.fixture
def training(images, tmp_path):
    def build(**settings):
        space = digits((1, 8, 8), 10)
        torch.manual_seed(0)
        config = TrainConfig(epochs=3, batch_size=32, **settings)
        model = space.build(space.smallest())
        return model, KeptEpochs(model, images, config, COMPUTE, seed=0, folder=tmp_path)

    return build


@pytest.mark.parametrize("settings", [{}, {"ema_decay": 0.9}], ids=["weights", "average"])
def test_each_epochs_weights_stay(training, settings, tmp_path):
    _, method = training(**settings)
    for epoch in range(3):
        train_epoch(method, epoch)
        kept = load_file(epoch_weights(tmp_path, epoch + 1))
        assert all(torch.equal(value, kept[name]) for name, value in method.trained.state_dict().items())
    first, last = (load_file(epoch_weights(tmp_path, epoch)) for epoch in (1, 3))
    assert any(not torch.equal(value, last[name]) for name, value in first.items())


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [Path.unlink, flip_a_byte])
def test_a_checkpoint_goes_with_its_files(training, tmp_path, damage):
    _, method = training()
    for epoch in range(2):
        train_epoch(method, epoch)
    state = copy.deepcopy(method.state_dict())
    _, resumed = training()
    resumed.load_state_dict(state)
    assert len(resumed.state_dict()["kept"]) == 2
    damage(epoch_weights(tmp_path, 1))
    with pytest.raises(DamagedCheckpointError, match=r"\[1\] are not"):
        training()[1].load_state_dict(state)


def test_a_checkpoint_of_a_training_that_kept_nothing_is_none(training, images):
    model, method = training()
    plain = SupervisedTraining(model, images, TrainConfig(epochs=3, batch_size=32), COMPUTE, seed=0)
    train_epoch(plain, 0)
    with pytest.raises(DamagedCheckpointError, match="all are not"):
        method.load_state_dict(plain.state_dict())
    train_epoch(method, 0)
    plain.load_state_dict(method.state_dict())
