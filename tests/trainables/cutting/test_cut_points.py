import pytest
import torch
from torch import nn
from torchvision import models

from nasray.search_spaces.chain.mbconv import digits
from nasray.search_spaces.costs.cost import measure
from nasray.trainables.cutting.cut_points import cut_points


def proposals(name, size=64):
    model = models.get_model(name, weights=None, num_classes=10)
    return {point.name: point.shape for point in cut_points(model, (3, size, size)) if point.proposed}


def test_resnet18_is_cut_before_each_change_of_size():
    assert proposals("resnet18") == {
        "relu": (64, 32, 32),
        "layer1": (64, 16, 16),
        "layer2": (128, 8, 8),
        "layer3": (256, 4, 4),
        "layer4": (512, 2, 2),
    }


@pytest.mark.parametrize(
    ("name", "cuts"),
    [
        ("mobilenet_v3_small", ["features.0", "features.1", "features.3", "features.8", "features"]),
        ("efficientnet_b0", ["features.1", "features.2", "features.3", "features.5", "features"]),
    ],
)
def test_cuts_are_proposed_between_stages_and_not_within_them(name, cuts):
    assert list(proposals(name)) == cuts


def test_the_blocks_of_our_network_are_proposed_where_the_size_changes():
    space = digits((1, 8, 8), 10)
    points = cut_points(space.build(space.largest()), (1, 8, 8))
    assert [point.name for point in points if point.proposed] == ["blocks.0", "blocks.1", "blocks.2"]


def test_costs_add_up_to_the_whole_model():
    model = models.mobilenet_v3_small(num_classes=10)
    points = cut_points(model, (3, 64, 64))
    cost = measure(model, (3, 64, 64))
    assert points[-1].name == "classifier"
    assert (points[-1].num_params, points[-1].num_macs) == (cost.num_params, cost.num_macs)
    assert [point.num_macs for point in points] == sorted(point.num_macs for point in points)
    stem = next(point for point in points if point.name == "features.0")
    assert stem.num_macs == 16 * 3 * 9 * 32 * 32


def test_parameters_of_several_parts_count_once():
    class Repeating(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.pool, self.head = nn.Conv2d(3, 3, 1), nn.AvgPool2d(2), nn.Linear(3, 2)
            self.again = self.conv

        def forward(self, images):
            return self.head(self.again(self.pool(self.conv(images))).mean((2, 3)))

    model = Repeating()
    assert cut_points(model, (3, 8, 8))[-1].num_params == measure(model, (3, 8, 8)).num_params == 12 + 8


def test_points_within_a_residual_branch_are_not_offered():
    names = [point.name for point in cut_points(models.resnet18(num_classes=10), (3, 32, 32))]
    assert "layer1.0" in names
    assert not any(name.startswith("layer1.0.") for name in names)


def test_tokens_of_a_transformer_are_proposed_before_they_become_one_vector():
    model = models.VisionTransformer(
        16, 4, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=16, num_classes=5
    )
    points = {point.name: point for point in cut_points(model, (3, 16, 16))}
    assert points["encoder.layers.encoder_layer_0"].shape == (17, 8)
    assert [name for name, point in points.items() if point.proposed] == ["encoder"]


def test_images_that_the_model_cannot_take_are_refused():
    with pytest.raises(ValueError, match=r"must take images of shape \(1, 8, 8\), it failed: .*channels"):
        cut_points(models.resnet18(), (1, 8, 8))


def test_values_that_are_not_one_tensor_per_image_are_not_offered():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.constant, self.head = (
                nn.GRU(6, 4, batch_first=True),
                nn.Linear(3, 4),
                nn.Linear(4, 2),
            )
            self.register_buffer("bias", torch.ones(3))

        def forward(self, images):
            features, _ = self.rnn(images.flatten(1, 2))
            return self.head(features.mean(1) + self.constant(self.bias))

    assert [point.name for point in cut_points(Recurrent(), (1, 5, 6))] == ["head"]
