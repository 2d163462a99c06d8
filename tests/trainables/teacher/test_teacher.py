from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from nasray.errors import UserError
from nasray.search_spaces.chain.mbconv import digits, small_images
from nasray.search_spaces.chain.network import Network
from nasray.trainables.core.weights import save_weights
from nasray.trainables.settings.teacher import TeacherConfig, is_checkpoint
from nasray.trainables.settings.training import TrainConfig
from nasray.trainables.teacher.teacher import build_teacher, fingerprint, load_weights

DIGITS = digits((1, 8, 8), 10)
COLOUR = small_images((3, 32, 32), 10)


class Small(nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.Linear(width, 2)

    def forward(self, images):
        return self.fc(self.norm(self.conv(images)).mean((2, 3)))


def test_the_largest_network_of_the_space():
    model = build_teacher(TeacherConfig(source="largest"), DIGITS)
    assert isinstance(model, Network)
    num_params = sum(parameter.numel() for parameter in model.parameters())
    assert num_params == DIGITS.cost(DIGITS.largest()).num_params


def test_a_torchvision_model_tells_the_datas_classes_apart():
    model = build_teacher(TeacherConfig(source="resnet18"), COLOUR)
    assert isinstance(model, models.ResNet)
    assert model.fc.out_features == 10


@pytest.mark.parametrize("source", ["largest", "resnet18"])
def test_a_teacher_may_have_classes_of_its_own(source):
    model = build_teacher(TeacherConfig(source=source, num_classes=7), COLOUR)
    assert model.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 7)


USER_MODULE = """
from torch import nn

WIDTH = 4

def build(input_shape, num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(input_shape[1] * input_shape[2], num_classes))

def none(input_shape, num_classes):
    return None
"""


@pytest.fixture
def user_module(tmp_path, monkeypatch):
    (tmp_path / "my_teachers.py").write_text(USER_MODULE)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("user_module")
def test_a_function_is_given_the_shape_of_the_images_and_the_classes():
    model = build_teacher(TeacherConfig(source="my_teachers:build"), DIGITS)
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    with pytest.raises(ValueError, match=r"my_teachers:none must return a torch\.nn\.Module, got NoneType"):
        build_teacher(TeacherConfig(source="my_teachers:none"), DIGITS)
    with pytest.raises(ValueError, match="my_teachers:WIDTH must be a function, got int"):
        build_teacher(TeacherConfig(source="my_teachers:WIDTH"), DIGITS)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"source": "resnet81"}, "a classifier of torchvision, got 'resnet81'; did you mean 'resnet18'"),
        ({"source": "fasterrcnn_resnet50_fpn"}, "a classifier of torchvision"),
        ({"source": "largest", "weights": "IMAGENET1K_V1"}, "must be the path of a checkpoint's file"),
        (
            {"source": "resnet18", "weights": "IMAGENET"},
            "must be one of IMAGENET1K_V1, DEFAULT or the path of",
        ),
        (
            {"source": "resnet18", "weights": "DEFAULT"},
            "1000 classes apart, not 10: set teacher.num_classes=1000",
        ),
        ({"source": "resnet18", "weights": "nowhere.pt"}, r"must be a file, there is none at nowhere\.pt"),
    ],
)
def test_teachers_that_do_not_exist_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        build_teacher(TeacherConfig(**config), COLOUR)


def test_named_weights_that_cannot_be_fetched_say_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(models.ResNet18_Weights.IMAGENET1K_V1.value, "url", "file:///nowhere/resnet18.pth")
    config = TeacherConfig(source="resnet18", weights="IMAGENET1K_V1", num_classes=1000)
    with pytest.raises(
        ValueError, match=rf"could not be downloaded .* put the file into {tmp_path}/hub/checkpoints"
    ):
        build_teacher(config, COLOUR)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth", ".pth.tar", ".ckpt", ".bin", ".PTH"])
def test_checkpoints_of_any_name(tmp_path, suffix):
    torch.manual_seed(0)
    saved, model = Small(), Small()
    path = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(saved.state_dict(), path)
    assert is_checkpoint(path.name)
    load_weights(model, path)
    assert fingerprint(model) == fingerprint(saved)


def test_a_model_with_a_part_called_module_keeps_its_names(tmp_path):
    saved, model = nn.DataParallel(Small()), nn.DataParallel(Small())
    torch.save(saved.state_dict(), tmp_path / "weights.pt")
    load_weights(model, tmp_path / "weights.pt")
    assert fingerprint(model) == fingerprint(saved)


class Tied(Small):
    def __init__(self):
        super().__init__()
        self.again = self.fc


def test_weights_under_two_names_are_saved_and_loaded(tmp_path):
    torch.manual_seed(0)
    saved, model = Tied(), Tied()
    save_weights(saved, tmp_path / "both.safetensors")
    load_weights(model, tmp_path / "both.safetensors")
    assert model.again.weight is model.fc.weight
    assert fingerprint(model) == fingerprint(saved)
    # Others save them under one name, as safetensors' own save_model does.
    once = {name: tensor for name, tensor in saved.state_dict().items() if not name.startswith("fc.")}
    save_file(once, tmp_path / "once.safetensors")
    model = Tied()
    load_weights(model, tmp_path / "once.safetensors")
    assert fingerprint(model) == fingerprint(saved)


def test_two_values_for_one_weight_are_refused(tmp_path):
    weights = Tied().state_dict()
    torch.save(weights | {"again.bias": torch.ones(2), "fc.bias": torch.zeros(2)}, tmp_path / "torn.pt")
    with pytest.raises(ValueError, match=r"different values for the one weight fc\.bias and again\.bias"):
        load_weights(Tied(), tmp_path / "torn.pt")


def test_a_built_teacher_has_its_checkpoints_weights(tmp_path):
    trained = DIGITS.build(DIGITS.largest())
    save_file(trained.state_dict(), tmp_path / "trained.safetensors")
    config = TeacherConfig(weights=str(tmp_path / "trained.safetensors"))
    assert fingerprint(build_teacher(config, DIGITS)) == fingerprint(trained)


def test_weights_of_another_model_are_told_apart(tmp_path):
    weights = Small(width=4).state_dict()
    weights["head.bias"] = weights.pop("fc.bias")
    torch.save(weights, tmp_path / "other.pt")
    with pytest.raises(
        ValueError,
        match=r"other\.pt must hold the weights of this Small, but it lacks fc\.bias; has unknown head\.bias; "
        r"has conv\.bias \(4,\) instead of \(3,\), .* and 2 more",
    ):
        load_weights(Small(), tmp_path / "other.pt")


def test_a_checkpoint_cannot_run_code(tmp_path):
    class Malicious:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "touched",))

    torch.save({"state_dict": Malicious()}, tmp_path / "weights.pt")
    with pytest.raises(UserError, match="must hold tensors and plain values alone"):
        load_weights(Small(), tmp_path / "weights.pt")
    assert not (tmp_path / "touched").exists()


def test_a_head_of_another_size_says_how_to_keep_it(tmp_path):
    weights = Small().state_dict() | {"fc.weight": torch.zeros(5, 3), "fc.bias": torch.zeros(5)}
    torch.save(weights, tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"if it tells 5 classes apart, set teacher\.num_classes=5"):
        load_weights(Small(), tmp_path / "other.pt")


def test_weights_that_are_no_numbers_are_named(tmp_path):
    weights = Small().state_dict()
    weights["conv.weight"][0, 0, 1, 1] = torch.nan
    torch.save(weights, tmp_path / "weights.pt")
    with pytest.raises(UserError, match=r"weights\.pt .* has NaN or infinite values in conv\.weight$"):
        load_weights(Small(), tmp_path / "weights.pt")


def test_a_mask_may_be_infinite(tmp_path):
    class Masked(Small):
        def __init__(self):
            super().__init__()
            self.register_buffer("mask", torch.full((2, 2), -torch.inf))

    save_weights(Masked(), tmp_path / "weights.safetensors")
    load_weights(Masked(), tmp_path / "weights.safetensors")


def test_the_fingerprint_follows_content_and_not_layout():
    torch.manual_seed(0)
    model = Small().double().float()
    before = fingerprint(model)
    assert fingerprint(model.to(memory_format=torch.channels_last)) == before
    model.norm.running_mean[1] += 1e-3
    assert fingerprint(model) != before


def test_the_config_of_a_teacher():
    config = TeacherConfig.model_validate(
        {"source": "resnet18", "cuts": ["layer1", "layer2"], "train": {"epochs": 2}}
    )
    assert config.cuts == ("layer1", "layer2")
    assert config.train == TrainConfig(epochs=2)
    with pytest.raises(ValidationError, match="cuts"):
        TeacherConfig.model_validate({"cuts": "layer1"})
