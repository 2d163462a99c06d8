import copy

import pytest
import torch

from nasray.trainables.block_wise.step import BlockDistillation, parameter_groups
from nasray.trainables.core.training import train_epoch
from nasray.trainables.settings.block_distillation import BlockDistillationConfig


@pytest.fixture
def method(supernet, block_data):
    def build(**settings):
        config = BlockDistillationConfig(epochs=4, batch_size=32, lr=0.01, **settings)
        config = config.model_copy(update={"rating": config.rating.model_copy(update={"num_batches": 4})})
        net = supernet(1)
        return net, BlockDistillation(net, block_data(1), config, block=1, seed=0, name="block_1/3x14")

    return build


@pytest.mark.parametrize("paths", ["uniform", "fair"])
@pytest.mark.parametrize("loss", ["mse", "normalized_mse"])
def test_training_lowers_the_loss(method, paths, loss):
    _, training = method(paths=paths, loss=loss)
    metrics = [train_epoch(training, epoch) for epoch in range(4)]
    assert metrics[-1]["train_loss"] < metrics[0]["train_loss"]
    assert set(metrics[0]) == {
        "train_loss",
        "held_out_relative_l1",
        "samples_per_second",
        "data_wait_share",
        "seconds",
        "device",
    }


def test_a_step_moves_the_weights_of_one_path_only(method):
    net, training = method()
    before = copy.deepcopy(net.state_dict())
    features, target = next(iter(training.start_epoch(0)))
    training.step((features, target))
    moved = {name.rsplit(".", 3)[0] for name, p in net.named_parameters() if not torch.equal(p, before[name])}
    first_layers = {name for name in moved if name.startswith("first_layer")}
    assert len({name.split(".")[1] for name in first_layers}) <= 1
    for layer in range(2):
        choices = {name.split(".")[2] for name in moved if name.startswith(f"later_layers.{layer}.")}
        assert len(choices) <= 1


def test_learning_rate_decays_by_epoch(method):
    _, training = method()
    training.start_epoch(3)
    assert training._optimizer_step.optimizer.param_groups[0]["lr"] == pytest.approx(0.01 * 0.9**3)


def test_resuming_gives_the_same_bytes_as_never_stopping(method):
    net, training = method()
    for epoch in range(4):
        train_epoch(training, epoch)
    _, first = method()
    for epoch in range(2):
        train_epoch(first, epoch)
    resumed_net, second = method()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for epoch in range(2, 4):
        train_epoch(second, epoch)
    for name, value in net.state_dict().items():
        assert torch.equal(value, resumed_net.state_dict()[name]), name


def test_norms_and_biases_have_no_weight_decay(supernet):
    decayed, plain = parameter_groups(supernet(1), 0.1)
    assert decayed["weight_decay"] == 0.1
    assert plain["weight_decay"] == 0
    assert all(p.dim() > 1 for p in decayed["params"])
    assert all(p.dim() == 1 for p in plain["params"])
