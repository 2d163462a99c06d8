import copy
import pickle

import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.ops import Conv2dNormActivation

from nasray.search_spaces.chain.mbconv import digits
from nasray.trainables.cutting.cutting import cut, resolve_cuts


def small_transformer():
    model = models.VisionTransformer(
        16, 4, num_layers=3, num_heads=2, hidden_dim=8, mlp_dim=16, num_classes=5
    )
    nn.init.normal_(model.heads.head.weight)  # zero at first
    return model


def small_network():
    space = digits((1, 8, 8), 10)
    return space.build(space.largest())


@pytest.mark.parametrize(
    ("build", "cuts", "size", "shapes"),
    [
        (models.resnet18, ["bn1", "layer1", "layer4"], 64, [(64, 32, 32), (64, 16, 16), (512, 2, 2)]),
        (models.mobilenet_v3_small, ["features.1", "features.8"], 64, [(16, 16, 16), (48, 4, 4)]),
        (models.efficientnet_b0, ["features.2", "features"], 64, [(24, 16, 16), (1280, 2, 2)]),
        (models.densenet121, ["features.denseblock1", "features"], 64, [(256, 16, 16), (1024, 2, 2)]),
        (
            small_transformer,
            ["encoder.layers.encoder_layer_0", "encoder.layers.encoder_layer_2"],
            16,
            [(17, 8)] * 2,
        ),
    ],
    ids=["resnet18", "mobilenet_v3_small", "efficientnet_b0", "densenet121", "transformer"],
)
def test_pieces_give_what_the_whole_gives(build, cuts, size, shapes):
    torch.manual_seed(0)
    model = build()
    before = copy.deepcopy(model.state_dict())
    teacher = cut(model, cuts, (3, size, size))
    assert teacher.feature_shapes == ((3, size, size), *shapes)
    images = torch.randn(3, 3, size, size)
    expected = model.eval()(images)
    assert expected.norm() > 0
    assert (teacher(images) - expected).norm() <= 1e-5 * expected.norm()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_our_network_is_cut_at_its_blocks():
    network = small_network().eval()
    teacher = cut(network, ["blocks.0", "blocks.1", "blocks.2"], (1, 8, 8))
    images = torch.randn(2, 1, 8, 8)
    features = teacher.features(images, up_to=2)
    assert len(features) == 3
    assert features[0] is images
    assert torch.equal(features[2], network.blocks[1](network.blocks[0](images)))
    assert torch.equal(teacher(images), network(images))


def test_features_of_an_efficientnet_b7_as_the_dna_paper_cuts_it():
    model = models.efficientnet_b7()
    cuts = [f"features.{stage}" for stage in range(2, 8)]
    assert cut(model, cuts, (3, 224, 224)).feature_shapes == (
        (3, 224, 224),
        (48, 56, 56),
        (80, 28, 28),
        (160, 14, 14),
        (224, 14, 14),
        (384, 7, 7),
        (640, 7, 7),
    )


def test_a_cut_teacher_stays_frozen_in_evaluation_mode():
    model = models.resnet18(num_classes=5)
    teacher = cut(model, ["layer2"], (3, 32, 32))
    nn.Sequential(teacher).train()
    before = copy.deepcopy(teacher.state_dict())
    teacher(torch.randn(4, 3, 32, 32))
    assert not any(module.training for module in teacher.modules())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in teacher.state_dict().items())
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_each_piece_has_only_the_parameters_it_needs():
    model = models.resnet18(num_classes=5)
    teacher = cut(model, ["layer1", "layer3"], (3, 32, 32))
    counts = [sum(parameter.numel() for parameter in piece.parameters()) for piece in teacher.pieces]
    assert counts[-1] == sum(p.numel() for part in (model.layer4, model.fc) for p in part.parameters())
    assert sum(counts) == sum(parameter.numel() for parameter in model.parameters())


def test_a_cut_teacher_can_be_sent_to_another_process():
    teacher = cut(small_network(), ["blocks.0"], (1, 8, 8))
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(pickle.loads(pickle.dumps(teacher))(images), teacher(images))


def test_later_pieces_do_not_change_the_features_in_place():
    teacher = cut(models.resnet18(), ["conv1", "bn1", "relu"], (3, 32, 32))
    features = teacher.features(torch.randn(2, 3, 32, 32), up_to=3)
    assert float(features[1].min()) < 0
    assert float(features[2].min()) < 0
    assert float(features[3].min()) == 0


class Chain(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Conv2dNormActivation(1, 4)
        self.second = nn.Conv2d(4, 4, 3)
        self.third = nn.Conv2d(4, 2, 3)

    def forward(self, images):
        return self.third(self.second(self.first(images))).mean((2, 3))


class Skipping(Chain):
    def forward(self, images):
        x = self.first(images)
        return self.third(self.second(x) + x[:, :, 1:-1, 1:-1]).mean((2, 3))


class InPlace(Chain):
    def forward(self, images):
        x = self.second(self.first(images))
        return self.third(x.add_(1)).mean((2, 3))


class Counting(Chain):
    """Every call scales what `second` is given by a number one higher."""

    calls = 0

    def forward(self, images):
        self.calls += 1
        return self.third(self.second(self.first(images) * self.calls)).mean((2, 3))


class Dividing(Chain):
    def forward(self, images):
        return self.third(self.second(self.first(images)) / 0).mean((2, 3))


class Transposed(Chain):
    def __init__(self):
        super().__init__()
        self.swap, self.swap_back = Swap(), Swap()

    def forward(self, images):
        return self.swap_back(self.swap(self.first(images))).mean((2, 3))


class Swap(nn.Module):
    def forward(self, images):
        return images.transpose(0, 1)


class Recurrent(Chain):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(8, 4, batch_first=True)

    def forward(self, images):
        return self.rnn(images.squeeze(1))[0].mean(1)


@pytest.mark.parametrize(
    ("model", "cuts", "message"),
    [
        (
            Chain(),
            ["frist"],
            "cuts must name submodules that the model runs, got 'frist'; did you mean 'first'",
        ),
        (Chain(), ["second", "first"], "in the order of execution, 'first' does not come after 'second'"),
        (Chain(), ["second", "second"], "'second' does not come after 'second'"),
        (Skipping(), ["first", "second"], "cut 'second' must be the only way .* is computed before it"),
        (InPlace(), ["first", "second"], "must give what the whole gives, but they differ at cut 'second'"),
        (Counting(), ["first", "second"], "must give what the whole gives, but they differ at cut 'second'"),
        (Counting(), ["first"], "must give what the whole gives, but they differ at the output"),
        (
            Dividing(),
            ["first", "second"],
            "must give finite values .* got NaN or infinite ones at the output",
        ),
        (Transposed(), ["swap"], r"cut 'swap' must give one entry per image, .* got \[4, 2, 8, 8\] for B=2"),
        (Recurrent(), ["rnn"], "must .* give a tensor at each cut, it failed: AttributeError: 'tuple'"),
    ],
)
def test_cuts_that_break_the_model_are_named(model, cuts, message):
    with pytest.raises(ValueError, match=message):
        cut(model, cuts, (1, 8, 8))


def test_images_that_the_model_cannot_take_are_refused():
    with pytest.raises(ValueError, match=r"must take images of shape \(3, 8, 8\)"):
        cut(Chain(), ["first"], (3, 8, 8))


def test_given_cuts_are_kept_if_there_is_one_for_each_block():
    assert resolve_cuts(Chain(), ("first", "second"), (1, 8, 8), num_blocks=2) == ["first", "second"]
    with pytest.raises(ValueError, match="one submodule for each of the 3 blocks, got 2: first, second"):
        resolve_cuts(Chain(), ("first", "second"), (1, 8, 8), num_blocks=3)


def test_cuts_found_for_our_network_are_its_blocks():
    assert resolve_cuts(small_network(), "auto", (1, 8, 8), 3) == ["blocks.0", "blocks.1", "blocks.2"]


def test_cuts_found_for_another_model_are_the_proposed_ones():
    model, found = models.resnet18(), ["relu", "layer1", "layer2", "layer3", "layer4"]
    assert resolve_cuts(model, "auto", (3, 64, 64), num_blocks=5) == found
    with pytest.raises(ValueError, match=f"each of the 4 blocks, auto found 5: {', '.join(found)}"):
        resolve_cuts(model, "auto", (3, 64, 64), num_blocks=4)
