import pytest
import torch
import torchvision
from torch import nn

from nasray.search_spaces.costs.cost import Cost, measure, measure_built, output_shape


def test_costs_add_up():
    assert sum(
        [Cost({"num_params": 1, "num_macs": 10}), Cost({"num_params": 2, "num_macs": 20})], Cost.zero
    ) == Cost({"num_params": 3, "num_macs": 30})


def test_a_convolution_costs_what_paper_and_pencil_say():
    module = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8))
    assert measure(module, (3, 10, 6)) == Cost(
        {"num_params": 3 * 8 * 9 + 8 + 16, "num_macs": 3 * 8 * 9 * 5 * 3}
    )
    assert output_shape(module, (3, 10, 6)) == (8, 5, 3)


@pytest.mark.parametrize(
    ("name", "millions"), [("efficientnet_b0", 386), ("resnet18", 1814), ("vit_b_16", 17564)]
)
def test_published_networks_cost_what_is_published(name, millions):
    with torch.device("meta"):
        network = torchvision.models.get_model(name)
    assert round(measure(network, (3, 224, 224)).num_macs / 1e6) == millions


def test_measuring_leaves_no_trace():
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout())
    module[1].eval()
    torch.manual_seed(0)
    random_state = torch.get_rng_state()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    measure(module, (3, 4, 4))
    measure_built(nn.Conv2d, (3, 4, 1), (3, 4, 4))
    assert [part.training for part in module] == [True, False, True]
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_layer_beyond_memory_is_measured():
    cost, shape = measure_built(nn.Conv2d, (1_000_000, 1_000_000, 3), (1_000_000, 99, 99))
    assert cost.num_params == 9 * 10**12 + 10**6
    assert shape == (1_000_000, 97, 97)


def test_parameters_that_are_shared_count_once():
    layer = nn.Linear(5, 5, bias=False)
    assert measure(nn.Sequential(layer, layer), (5,)) == Cost({"num_params": 25, "num_macs": 50})
