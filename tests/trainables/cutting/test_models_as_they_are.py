"""Models as people have them: with optional arguments, sizes taken at the top, parts of other kinds."""

import warnings

import pytest
import torch
from torch import nn

from nasray.errors import UserError
from nasray.trainables.cutting.cut_points import cut_points
from nasray.trainables.cutting.cutting import cut, resolve_cuts

SHAPE = (1, 8, 8)


def layers(in_channels, out_channels, stride):
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, stride, 1), nn.ReLU())


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.low, self.high, self.fc = layers(1, 4, 1), layers(4, 6, 2), nn.Linear(6, 3)

    def forward(self, images):
        return self.fc(self.high(self.low(images)).mean((2, 3)))


class Optional(Plain):
    def forward(self, images, mask=None, *others, twice=False, **more):
        if mask is not None or twice or others or more:
            raise AssertionError("only the images are given")
        return super().forward(images)


class SizeAtTheTop(Plain):
    def forward(self, images):
        number, _, _, _ = images.shape
        return self.fc(self.high(self.low(images)).mean((2, 3)).view(number, -1))


class SizeByIndex(Plain):
    def forward(self, images):
        return self.fc(self.high(self.low(images)).mean((2, 3)).view(images.shape[0], -1))


class SizeByMethod(Plain):
    def forward(self, images):
        maps = self.high(self.low(images))
        return self.fc(maps.mean((2, 3)).view(images.size(0), -1).view(images.size()[0], -1))


class Normed(Plain):
    def __init__(self):
        super().__init__()
        self.low[0] = nn.utils.parametrizations.weight_norm(self.low[0])


class PartlyScripted(Plain):
    def __init__(self):
        super().__init__()
        self.low[1] = torch.jit.script(self.low[1])


class Named(Plain):
    """Its stages have other names as well."""

    def __init__(self):
        super().__init__()
        self.stage_1, self.stage_2 = self.low, self.high


@pytest.mark.parametrize(
    ("kind", "cuts"),
    [
        (Optional, ["low", "high"]),
        (SizeAtTheTop, ["low", "high"]),
        (SizeByIndex, ["low", "high"]),
        (SizeByMethod, ["low", "high"]),
        (Normed, ["low", "high"]),
        (PartlyScripted, ["low", "high"]),
        (Named, ["stage_1", "stage_2"]),
        (Named, ["low", "stage_2"]),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_model_is_cut_as_it_is(kind, cuts):
    torch.manual_seed(0)
    model, images = kind().eval(), torch.randn(5, *SHAPE)
    teacher = cut(model, cuts, SHAPE)
    assert teacher.feature_shapes == (SHAPE, (4, 8, 8), (6, 4, 4))
    torch.testing.assert_close(teacher(images), model(images))
    assert [point.name for point in cut_points(model, SHAPE) if point.proposed] == ["low", "high"]
    assert type(model) is kind


class SidesAtTheTop(Plain):
    def forward(self, images):
        height = images.shape[2]
        return self.fc(self.high(self.low(images)).flatten(2)[:, :, :height].mean(2))


class Asserting(Plain):
    def forward(self, images):
        assert images.shape[1] == 1
        return super().forward(images)


class Wordless(Plain):
    def forward(self, images):
        raise NotImplementedError


class Weighted(Plain):
    def __init__(self):
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.low[0] = nn.utils.weight_norm(self.low[0])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            SidesAtTheTop,
            r"cut 'low' must be the only way .* but getitem is computed before it and used after it",
        ),
        (
            Asserting,
            r"never branches on their values or shapes.* TraceError: .*_as_they_are\.py, line \d+\)$",
        ),
        (Wordless, r"tracing it failed: NotImplementedError \(.*_as_they_are\.py, line \d+\)$"),
        (
            Weighted,
            r"Weighted must be one that copy\.deepcopy copies, .*parametrizations\.weight_norm may stand",
        ),
        (lambda: torch.jit.script(Plain()), "which a whole that torch.jit made is not: give the module"),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_model_that_cannot_be_cut_is_told_why(kind, message):
    with pytest.raises(UserError, match=message):
        cut(kind(), ["low"], SHAPE)


def test_what_stands_in_the_way_of_all_cuts_is_told():
    told = r"auto found 0: 6 of 7 submodules cannot be cut behind, since getitem \(getitem getattr_1 2\) is computed"
    with pytest.raises(UserError, match=told):
        resolve_cuts(SidesAtTheTop(), "auto", SHAPE, num_blocks=2)
