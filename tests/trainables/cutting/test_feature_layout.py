import pytest
import torch
from torch import nn
from torchvision import models

from nasray.trainables.cutting.cut_points import cut_points
from nasray.trainables.cutting.cutting import cut


def small_swin():
    return models.SwinTransformer(
        [2, 2], embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=[4, 4], num_classes=5
    )


class Reordered(nn.Module):
    """Has features of 8 channels in an order of its own; its layers act on them in no way that tells which."""

    def __init__(self, order, *, sizes=None):
        super().__init__()
        self.order, self.sizes = order, sizes
        self.conv, self.move, self.head = nn.Conv2d(1, 8, 3, padding=1), Move(order), nn.Linear(8, 3)

    def forward(self, images):
        if self.sizes is not None:
            torch._assert(images.shape[2:] == self.sizes, "another size")
        moved = self.move(self.conv(images)) * 2
        return self.head(moved.mean([axis for axis in (1, 2, 3) if self.order[axis - 1] != 0]))


class Move(nn.Module):
    def __init__(self, order):
        super().__init__()
        self.order = order

    def forward(self, maps):
        return maps.permute(0, *(axis + 1 for axis in self.order))


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (0, 2, 1), (2, 1, 0), (1, 0, 2)])
@pytest.mark.parametrize("size", [(8, 8), (8, 6)])
def test_features_are_brought_to_channels_height_width(order, size):
    """Channels, height and width are told apart though all are 8."""
    model = Reordered(order).eval()
    teacher = cut(model, ["move"], (1, *size))
    images = torch.randn(3, 1, *size)
    features = teacher.features(images, up_to=2)
    assert teacher.feature_shapes == ((1, *size), (8, *size))
    torch.testing.assert_close(features[1], model.conv(images))
    torch.testing.assert_close(features[2], model(images))
    (point,) = (point for point in cut_points(model, (1, *size)) if point.name == "move")
    assert point.shape == (8, *size)


def test_a_swin_transformer_whose_maps_are_as_high_as_they_have_channels():
    torch.manual_seed(0)
    model, images = small_swin().eval(), torch.randn(2, 3, 32, 32)
    teacher = cut(model, ["features.1", "features.3"], (3, 32, 32))
    assert teacher.feature_shapes == ((3, 32, 32), (16, 16, 16), (32, 8, 8))
    features = teacher.features(images, up_to=3)
    torch.testing.assert_close(features[1], model.features[:2](images).permute(0, 3, 1, 2))
    torch.testing.assert_close(features[3], model(images), atol=1e-5, rtol=1e-4)
    # Cached features are laid out anew in memory.
    torch.testing.assert_close(teacher.pieces[1](features[1].contiguous()), features[2])


def test_cuts_of_a_swin_transformer_are_proposed_where_its_maps_shrink():
    proposed = {point.name: point.shape for point in cut_points(small_swin(), (3, 32, 32)) if point.proposed}
    assert proposed == {"features.1": (16, 16, 16), "permute": (32, 8, 8)}


@pytest.mark.parametrize(
    ("order", "size"), [((1, 2, 0), (6, 6)), ((0, 1, 2), (6, 6)), ((0, 1, 2), (1, 1)), ((1, 2, 0), (1, 1))]
)
def test_a_model_of_one_size_is_read_by_the_sides_of_its_maps(order, size):
    teacher = cut(Reordered(order, sizes=size), ["move"], (1, *size))
    assert teacher.feature_shapes[1] == (8, *size)


@pytest.mark.parametrize(("order", "size"), [((1, 2, 0), (8, 8)), ((1, 2, 0), (6, 4))])
def test_features_that_cannot_be_read_are_refused(order, size):
    with pytest.raises(
        ValueError, match=r"cut 'move' must give maps .* of which it cannot be told what axes"
    ):
        cut(Reordered(order, sizes=size), ["move"], (1, *size))
    assert "move" not in [point.name for point in cut_points(Reordered(order, sizes=size), (1, *size))]


class Tokens(nn.Module):
    """Has channels before places."""

    def __init__(self):
        super().__init__()
        self.conv, self.move, self.head = nn.Conv2d(1, 16, 1), nn.Flatten(2), nn.Linear(16, 3)

    def forward(self, images):
        return self.head(self.move(self.conv(images)).mean(2))


def test_tokens_are_brought_to_one_row_each():
    """Sixteen places of sixteen channels."""
    model, images = Tokens().eval(), torch.randn(2, 1, 4, 4)
    teacher = cut(model, ["move"], (1, 4, 4))
    features = teacher.features(images, up_to=2)
    torch.testing.assert_close(features[1], model.conv(images).flatten(2).transpose(1, 2))
    torch.testing.assert_close(features[2], model(images))
