import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, vmap

from nasray.search_spaces.cells.cell_operations import Noise
from nasray.search_spaces.cells.darts import darts_s0, darts_s1, darts_s2, darts_s4
from nasray.search_spaces.cells.nasbench201 import nasbench201
from nasray.trainables.core.batch_norm import with_batch_statistics
from nasray.trainables.sd_darts.supernets.cell_supernet import MixedCellSupernet

ARCHITECTURE = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|skip_connect~1|nor_conv_1x1~2|"
SMALL = {
    "nasbench201": lambda: nasbench201((1, 8, 8), 10, channels=4, num_cells=1),
    "darts_s0": lambda: darts_s0((1, 8, 8), 10, channels=2, num_cells=3),
    "darts_s1": lambda: darts_s1((1, 8, 8), 10, channels=2, num_cells=3),
    "darts_s4": lambda: darts_s4((1, 8, 8), 10, channels=2, num_cells=3),
}


@pytest.fixture(params=SMALL)
def supernet(request):
    torch.manual_seed(0)
    return MixedCellSupernet(SMALL[request.param]())


@pytest.fixture
def images():
    return torch.randn(6, 1, 8, 8)


def draws_noise(supernet):
    return any(isinstance(module, Noise) for module in supernet.modules())


def test_alphas_are_near_zero_one_row_per_edge():
    supernet = MixedCellSupernet(darts_s0((3, 16, 16), 10, channels=2))
    shapes = {name: tuple(alpha.shape) for name, alpha in supernet.arch_parameters.items()}
    assert shapes == {"normal": (14, 8), "reduction": (14, 8)}
    assert all(0 < alpha.abs().max() < 0.01 for alpha in supernet.arch_parameters.values())
    assert MixedCellSupernet(nasbench201((3, 8, 8), 10, 4, 1)).arch_parameters["cell"].shape == (6, 5)


def test_all_parameters_learn(supernet, images):
    logits = supernet(images)
    assert logits.shape == (6, 10)
    F.cross_entropy(logits, torch.arange(6)).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in supernet.network_parameters())
    assert all(alpha.grad.abs().sum() > 0 for alpha in supernet.alphas())


def test_one_hot_weights_compute_the_architecture():
    """The same numbers as the discrete network with the supernet's convolutions."""
    torch.manual_seed(0)
    space = nasbench201((3, 8, 8), 10, channels=4, num_cells=1)
    supernet, network = MixedCellSupernet(space), space.build(space.parse(ARCHITECTURE))
    shared = {"entries": network.entries, "head": network.head}
    for name, module in shared.items():
        module.load_state_dict(getattr(supernet.network, name).state_dict())
    for mixed, cell in zip(supernet.network.cells, network.cells, strict=True):
        channels = cell.operations[0][1].out_channels
        first, last = (mixed.fans[source].groups for source in (0, 2))
        with torch.no_grad():
            cell.operations[0][1].weight.copy_(first["nor_conv_3x3"].branch.weight[:channels])
            cell.operations[5][1].weight.copy_(last["nor_conv_1x1"].branch.weight)
    images = torch.randn(6, 3, 8, 8)
    torch.testing.assert_close(supernet(images, supernet.one_hot(ARCHITECTURE)), network(images))


def test_one_hot_leaves_dropped_edges_zero():
    supernet = MixedCellSupernet(darts_s2((3, 8, 8), 10, channels=2, num_cells=3))
    architecture = supernet.discretize()
    weights = supernet.one_hot(architecture)
    assert all(value.unique().tolist() == [0, 1] for value in weights.values())
    assert [value.sum().item() for value in weights.values()] == [8, 8]
    with torch.no_grad():
        for name, value in weights.items():
            supernet.arch_parameters[name].copy_(value)
    assert supernet.discretize() == architecture
    with pytest.raises(ValueError, match="must have the cells normal, reduction"):
        supernet.one_hot(ARCHITECTURE)


def test_what_the_alphas_stand_for():
    supernet = MixedCellSupernet(nasbench201((3, 8, 8), 10, 4, 1))
    with torch.no_grad():
        supernet.arch_parameters["cell"].copy_(3 * supernet.one_hot(ARCHITECTURE)["cell"])
    assert supernet.discretize() == ARCHITECTURE


def test_none_may_be_left_out_of_what_the_alphas_stand_for():
    supernet = MixedCellSupernet(nasbench201((3, 8, 8), 10, 4, 1), allow_none=False)
    with torch.no_grad():
        supernet.arch_parameters["cell"].copy_(3 * supernet.one_hot(ARCHITECTURE)["cell"])
    assert "none" in ARCHITECTURE
    found = supernet.discretize()
    assert "none" not in found
    # The other edges keep what they had; those without take the first of what is left, since all are alike.
    edges = zip(ARCHITECTURE.split("|"), found.split("|"), strict=True)
    assert all(ours == ("skip_connect" + one[4:] if one.startswith("none") else one) for one, ours in edges)


def test_only_skips_without_parameters_count():
    supernet = MixedCellSupernet(nasbench201((3, 8, 8), 10, 4, 1))
    assert supernet.num_skips(ARCHITECTURE) == 2
    supernet = MixedCellSupernet(darts_s2((3, 8, 8), 10, channels=2, num_cells=3))
    cell = "|skip_connect~0|sep_conv_3x3~1|+|skip_connect~0|skip_connect~2|+|{}|+|{}|"
    rest = ("sep_conv_3x3~0|sep_conv_3x3~1",) * 2
    assert supernet.num_skips(f"normal:{cell.format(*rest)}/reduction:{cell.format(*rest)}") == 3 + 1


def test_weights_may_be_given(supernet, images):
    weights = {name: value.detach() for name, value in supernet.weights().items()}
    torch.manual_seed(1)
    expected = supernet(images)
    torch.manual_seed(1)
    torch.testing.assert_close(supernet(images, weights), expected)


@pytest.mark.parametrize("name", ["nasbench201", "darts_s0"])
def test_the_hessian_is_that_of_finite_differences(name, images):
    torch.manual_seed(0)
    supernet = MixedCellSupernet(SMALL[name]()).double()
    alphas = supernet.alphas()
    images, labels = images.double(), torch.arange(6)

    def gradient():
        loss = F.cross_entropy(supernet(images), labels)
        return torch.autograd.grad(loss, alphas, create_graph=True)

    direction = [torch.randn_like(alpha) for alpha in alphas]
    along = sum((g * d).sum() for g, d in zip(gradient(), direction, strict=True))
    product = torch.autograd.grad(along, alphas)
    beside = []
    for step in (1e-5, -1e-5):
        with torch.no_grad():
            for alpha, d in zip(alphas, direction, strict=True):
                alpha.add_(step * d)
        beside.append(gradient())
        with torch.no_grad():
            for alpha, d in zip(alphas, direction, strict=True):
                alpha.sub_(step * d)
    expected = [(p - n).detach() / 2e-5 for p, n in zip(*beside, strict=True)]
    torch.testing.assert_close(list(product), expected, rtol=1e-3, atol=1e-7)


def test_stacked_parameters_give_what_each_gives(supernet, images):
    states = []
    for seed in range(2):
        torch.manual_seed(seed)
        other = copy.deepcopy(supernet)
        for parameter in other.parameters():
            nn.init.normal_(parameter, std=0.3)
        states.append({name: value.detach() for name, value in other.named_parameters()})
    network = with_batch_statistics(supernet)

    def logits(state):
        return functional_call(network, state, (images,))

    stacked = {name: torch.stack([state[name] for state in states]) for name in states[0]}
    together = vmap(logits, randomness="different")(stacked)
    assert together.shape == (2, 6, 10)
    if "noise" not in supernet.discretize() and not any(
        "noise" in name for name, _ in supernet.named_modules()
    ):
        torch.testing.assert_close(
            together, torch.stack([logits(state) for state in states]), rtol=1e-4, atol=1e-5
        )


def test_channels_last_gives_the_same_and_stays(supernet, images):
    expected = supernet(images)
    last = copy.deepcopy(supernet).to(memory_format=torch.channels_last)
    kept = []
    for cell in last.network.cells:
        cell.register_forward_hook(
            lambda *arguments: kept.append(arguments[2].is_contiguous(memory_format=torch.channels_last))
        )
    logits = last(images.to(memory_format=torch.channels_last))
    assert all(kept)
    if not draws_noise(supernet):
        torch.testing.assert_close(logits, expected, rtol=1e-3, atol=1e-4)


def test_every_edge_draws_noise_of_its_own():
    torch.manual_seed(0)
    supernet = MixedCellSupernet(SMALL["darts_s4"]())
    group = supernet.network.cells[0].fans[0].groups["noise"]
    x = torch.zeros(2, 2, 8, 8)
    first, second = group(x, x, [torch.tensor(1.0), torch.tensor(1.0)])
    assert not torch.equal(first, second)
