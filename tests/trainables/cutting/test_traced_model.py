import pytest
import torch
from torch import nn
from torchvision.models import resnet18
from torchvision.ops import DeformConv2d

from nasray.trainables.cutting.traced_model import TracedModel


def test_a_deformable_convolution_is_a_part_of_its_own():
    class Deforming(nn.Module):
        def __init__(self):
            super().__init__()
            self.offset, self.deform = nn.Conv2d(2, 18, 3, padding=1), DeformConv2d(2, 3, 3, padding=1)

        def forward(self, images):
            return self.deform(images, self.offset(images))

    model, images = Deforming().eval(), torch.randn(2, 2, 5, 5)
    traced = TracedModel(model)
    piece = traced.piece(traced.images, traced.output)
    assert "deform" in traced.returned
    torch.testing.assert_close(piece(images), model(images))


class Branching(nn.Module):
    def forward(self, images):
        return images if images.sum() > 0 else -images


class TwoInputs(nn.Module):
    def forward(self, images, labels):
        return images + labels


class TwoOutputs(nn.Module):
    def forward(self, images):
        return images, images + 1


class Skipping(nn.Module):
    """What `first` gives is used again after `second`."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.scale = nn.Parameter(torch.full((4,), 2.0))

    def forward(self, images):
        scale = self.scale + 1
        x = self.first(images * scale)
        return self.third((x + self.second(x)) * scale)


def test_values_that_cross_a_node_are_those_of_the_images_alone():
    traced = TracedModel(Skipping())
    crossing = {name: list(map(str, traced.crossing[node])) for name, node in traced.returned.items()}
    assert crossing == {"first": [], "second": ["first"], "third": []}


def test_a_piece_computes_its_end_from_its_start_with_what_does_not_depend_on_the_images():
    model = Skipping().eval()
    traced = TracedModel(model)
    before = traced.piece(traced.images, traced.returned["first"])
    after = traced.piece(traced.returned["first"], traced.output)
    images = torch.randn(3, 4)
    assert torch.equal(after(before(images)), model(images))
    assert {name for name, _ in before.named_parameters()} == {"first.weight", "first.bias", "scale"}


def test_the_copy_is_frozen_and_the_model_left_alone():
    model = resnet18(num_classes=5).train()
    traced = TracedModel(model)
    assert not traced.module.training
    assert not any(parameter.requires_grad for parameter in traced.module.parameters())
    assert not traced.module.relu.inplace
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert model.relu.inplace


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Branching(), "Branching must be traceable by torch.fx.*never branches"),
        (TwoInputs(), "TwoInputs must take the images alone.*it takes images, labels"),
        (TwoOutputs(), "TwoOutputs must .* return one tensor"),
    ],
)
def test_models_that_cannot_be_cut_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        TracedModel(model)
