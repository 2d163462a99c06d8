import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torchvision import models
from torchvision.ops import DeformConv2d, deform_conv2d

from nasray.search_spaces.build import SHIPPED_CELL_SPACES
from nasray.search_spaces.costs.cost import Cost, measure
from nasray.search_spaces.operations.attention import ATTENTION_OPERATIONS
from nasray.search_spaces.operations.shipped import OPERATIONS


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def flash_attention(x):
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        return F.scaled_dot_product_attention(x, x, x)


# On one image x [1, 4, 6, 8]; its maps are [6, 8], B = 4 of them.
BY_HAND = {
    "linear": (lambda x: F.linear(x, torch.zeros(5, 8)), 4 * 6 * 8 * 5),
    "einsum": (lambda x: torch.einsum("bchw,bdhw->bcd", x, x), 4 * 4 * 6 * 8),
    "baddbmm": (lambda x: torch.baddbmm(x[0], x[0], torch.zeros(4, 8, 8)), 4 * 6 * 8 * 8),
    "addbmm": (lambda x: torch.addbmm(torch.zeros(6, 5), x[0], torch.zeros(4, 8, 5)), 4 * 6 * 8 * 5),
    "mv": (lambda x: torch.mv(x[0, 0], torch.zeros(8)), 6 * 8),
    "addmv": (lambda x: torch.addmv(torch.zeros(6), x[0, 0], torch.zeros(8)), 6 * 8),
    "dot": (lambda x: torch.dot(x[0, 0, 0], x[0, 0, 1]), 8),
    "vdot": (lambda x: torch.vdot(x[0, 0, 0], x[0, 0, 1]), 8),
    "addr": (lambda x: torch.addr(x[0, 0], torch.zeros(6), torch.zeros(8)), 6 * 8),
    "conv1d": (lambda x: F.conv1d(x[0], torch.zeros(5, 6, 3)), 4 * 5 * 6 * 6 * 3),
    "conv3d": (lambda x: F.conv3d(x[None], torch.zeros(2, 1, 3, 3, 3)), 2 * 2 * 4 * 6 * 27),
    "transposed": (lambda x: F.conv_transpose2d(x, torch.zeros(4, 3, 2, 2), stride=2), 4 * 3 * 6 * 8 * 4),
    "transposed groups": (
        lambda x: F.conv_transpose2d(x, torch.zeros(4, 3, 2, 2), stride=2, groups=2),
        4 * 3 * 6 * 8 * 4,  # each of 4 channels goes to the 3 of its group
    ),
    "attention": (lambda x: F.scaled_dot_product_attention(x, x, x), 4 * 2 * 6 * 6 * 8),
    "causal attention": (
        lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
        4 * 2 * 6 * 6 * 8,
    ),
    "flash attention": (flash_attention, 4 * 2 * 6 * 6 * 8),
    "deformable": (
        lambda x: deform_conv2d(x, torch.zeros(1, 18, 4, 6), torch.zeros(5, 2, 3, 3)),
        5 * 4 * 6 * 2 * 9,
    ),
    "unfolded": (lambda x: torch.zeros(5, 4 * 9) @ F.unfold(x, 3), 5 * 36 * 4 * 6),
    "affine grid": (
        lambda x: F.affine_grid(x[0, :1, :2, :3], [1, 4, 6, 8], align_corners=False),
        6 * 8 * 2 * 3,
    ),
    "recurrent": (lambda x: nn.LSTM(8, 3).eval()(x[0])[0], 4 * 6 * 4 * 3 * (8 + 3)),
    "elementwise product": (lambda x: (x * x).sum(1), 0),
    "pooling": (lambda x: F.adaptive_avg_pool2d(F.max_pool2d(F.avg_pool2d(x, 2), 2), 1), 0),
    "norms": (lambda x: F.layer_norm(F.group_norm(x, 2), [8]).softmax(1), 0),
    "resampling": (
        lambda x: F.grid_sample(
            F.interpolate(x, (6, 8), mode="bicubic"), torch.zeros(1, 6, 8, 2), align_corners=False
        ),
        0,
    ),
    "layout": (lambda x: F.pad(torch.cat([x.roll(1, 2), x], 1).permute(0, 2, 3, 1).contiguous(), (1, 1)), 0),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_operators_count_what_paper_and_pencil_say(name):
    function, num_macs = BY_HAND[name]
    assert measure(Function(function), (4, 6, 8)) == Cost({"num_params": 0, "num_macs": num_macs})


@torch.library.custom_op("nasray_tests::twice", mutates_args=())
def twice(x: torch.Tensor) -> torch.Tensor:
    return x * 2


twice.register_fake(torch.empty_like)


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (twice, {"nasray_tests.twice"}),
        (lambda x: torch.fft.irfft2(torch.fft.rfft2(x)), {"aten._fft_r2c", "aten._fft_c2r"}),
        (lambda x: torch.cdist(x, x), {"aten._cdist_forward"}),
        (lambda x: torch.linalg.matrix_exp(x @ x.mT), {"aten.linalg_matrix_exp"}),
    ],
    ids=["custom", "fft", "cdist", "matrix_exp"],
)
def test_operators_that_cannot_be_counted_are_named(function, names):
    assert measure(Function(function), (4, 6, 8)).uncounted == names


@pytest.mark.parametrize("name", [*OPERATIONS, *(name for name in ATTENTION_OPERATIONS if name != "patch")])
def test_all_that_ships_is_counted(name):
    operation = (OPERATIONS | ATTENTION_OPERATIONS)[name]
    assert not measure(operation(4, 8, 2), (4, 8, 8)).uncounted


@pytest.mark.parametrize("source", ["nasbench201", "darts_s1"])
def test_networks_of_cells_are_counted(source):
    space = SHIPPED_CELL_SPACES[source]((3, 32, 32), 10)
    rng = np.random.default_rng(0)
    assert not any(space.cost(space.sample(rng)).uncounted for _ in range(8))


@pytest.mark.parametrize("name", ["convnext_tiny", "maxvit_t", "shufflenet_v2_x0_5", "swin_v2_t", "vit_b_16"])
def test_networks_of_torchvision_are_counted(name):
    with torch.device("meta"):
        network = models.get_model(name)
    assert not measure(network, (3, 224, 224)).uncounted


class Telling(nn.Module):
    """Tells twice the size of its input, and runs what cannot be counted and a convolution that can."""

    def __init__(self, told=None):
        super().__init__()
        self.inner, self.told = nn.Conv2d(4, 4, 1), told

    def forward(self, x):
        return twice(self.inner(x))

    def num_macs(self, input_shape):
        return 2 * input_shape[0] * input_shape[1] * input_shape[2] if self.told is None else self.told


def test_a_module_that_tells_its_cost_is_taken_at_its_word():
    inner = 4 * 4 + 4
    assert measure(Telling(), (4, 6, 8)) == Cost({"num_params": inner, "num_macs": 2 * 4 * 6 * 8})
    # Anywhere within an operation, and each time that it runs.
    telling = Telling()
    module = nn.Sequential(telling, nn.Conv2d(4, 1, 1, bias=False), nn.Conv2d(1, 4, 1, bias=False), telling)
    assert measure(module, (4, 6, 8)) == Cost(
        {"num_params": inner + 8, "num_macs": 2 * 2 * 4 * 6 * 8 + 2 * 4 * 6 * 8}
    )
    beside = nn.Sequential(telling, Function(twice))
    assert measure(beside, (4, 6, 8)).uncounted == {"nasray_tests.twice"}


@pytest.mark.parametrize("told", [-1, 1.5, True, "many"])
def test_what_a_module_tells_must_be_a_number(told):
    with pytest.raises(ValueError, match=r"num_macs\(\(4, 6, 8\)\) of Telling must return a whole number"):
        measure(Telling(told), (4, 6, 8))


def test_nothing_stays_on_the_module():
    telling = Telling()
    measure(telling, (4, 6, 8))
    assert not telling._forward_hooks
    assert not telling._forward_pre_hooks


def test_a_deformable_convolution_with_its_offsets():
    class Deform(nn.Module):
        def __init__(self):
            super().__init__()
            self.offset, self.conv = nn.Conv2d(8, 18, 3, 1, 1), DeformConv2d(8, 8, 3, 1, 1)

        def forward(self, x):
            return self.conv(x, self.offset(x))

    assert measure(Deform(), (8, 8, 8)).num_macs == 64 * 9 * 8 * 18 + 64 * 9 * 8 * 8
