import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.models._api import WeightsEnum

from nasray.trainables.teacher.torchvision_models import build_model, fetch, without_auxiliary


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("resnet18", "IMAGENET1K_V1"),
        ("googlenet", "IMAGENET1K_V1"),
        ("inception_v3", "IMAGENET1K_V1"),
        ("vit_b_16", "IMAGENET1K_SWAG_E2E_V1"),
        ("maxvit_t", "IMAGENET1K_V1"),
    ],
)
def test_the_form_of_published_weights(name, weights, monkeypatch):
    """Without a download: all but the weights' values is compared."""
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *_, **__: {})
    monkeypatch.setattr(nn.Module, "load_state_dict", lambda *_, **__: None)
    with torch.device("meta"):
        fetched, built = fetch(name, weights), build_model(name, weights, 1000)
    lines = [str(model).splitlines() for model in (built, fetched)]
    assert lines[0] == [line for line in lines[1] if not line.endswith("): None")]
    shapes = [{key: tensor.shape for key, tensor in model.state_dict().items()} for model in (built, fetched)]
    assert shapes[0] == shapes[1]
    for attribute in ("transform_input", "image_size", "aux_logits"):
        assert getattr(built, attribute, None) == getattr(fetched, attribute, None)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_logits_alone_are_returned_in_training(name):
    with torch.device("meta"):
        model = build_model(name, None, 3)
        logits = model.train()(torch.empty(2, 3, 96, 96))
    assert logits.shape == (2, 3)


def test_published_files_hold_more_than_the_model():
    with torch.device("meta"):
        published = models.GoogLeNet(init_weights=False).state_dict()
        model = build_model("googlenet", None, 1000)
    assert without_auxiliary(model, published).keys() == model.state_dict().keys()
    assert without_auxiliary(nn.Linear(1, 1), published).keys() == published.keys()
