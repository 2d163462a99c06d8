"""A teacher that is an architecture of the space, as it is or scaled."""

import pytest
import torch

from nasray.search_spaces.chain.mbconv import digits
from nasray.search_spaces.settings import ScalingConfig
from nasray.trainables.cutting.cutting import cut, resolve_cuts
from nasray.trainables.settings.teacher import TeacherConfig
from nasray.trainables.teacher.teacher import build_teacher, fingerprint

DIGITS = digits((1, 8, 8), 10)
ARCHITECTURE = "2x16:mb3k3,mb3k3/2x24:mb3k5,mb3k3/2x40:mb6k3,mb3k5"


def test_an_architecture_teaches():
    model = build_teacher(TeacherConfig(source="architecture", architecture=ARCHITECTURE), DIGITS)
    num_params = sum(parameter.numel() for parameter in model.parameters())
    assert num_params == DIGITS.cost(ARCHITECTURE).num_params


def test_a_scaled_one_is_cut_behind_its_blocks_at_the_spaces_sizes():
    config = TeacherConfig(source="architecture", architecture=ARCHITECTURE, scaling=ScalingConfig(power=2))
    model = build_teacher(config, DIGITS)
    names = resolve_cuts(model, "auto", DIGITS.input_shape, 3)
    teacher = cut(model, names, DIGITS.input_shape)
    assert teacher.feature_shapes == ((1, 8, 8), (24, 8, 8), (32, 4, 4), (48, 2, 2))


def test_the_same_seed_gives_the_same_teacher():
    config = TeacherConfig(source="architecture", architecture=ARCHITECTURE, scaling=ScalingConfig())
    prints = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        prints.append(fingerprint(build_teacher(config, DIGITS)))
    assert prints[0] == prints[1] != prints[2]


def test_what_other_teachers_are_known_by_has_not_changed():
    assert not {"architecture", "scaling"} & TeacherConfig().model_dump().keys()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "architecture"}, "architecture must be given with source: architecture"),
        ({"architecture": ARCHITECTURE}, "architecture must be given with .* got source: largest"),
        ({"scaling": {}}, "scaling must go with source: architecture"),
    ],
)
def test_what_does_not_go_together_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        TeacherConfig.model_validate(settings)


def test_weights_of_torchvision_are_refused():
    config = TeacherConfig(source="architecture", architecture=ARCHITECTURE, weights="IMAGENET1K_V1")
    with pytest.raises(ValueError, match=r"teacher\.weights must be the path of a checkpoint"):
        build_teacher(config, DIGITS)
