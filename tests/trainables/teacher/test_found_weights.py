from pathlib import Path

import pytest
import torch
from torch import nn

from nasray.errors import UserError
from nasray.trainables.teacher.found_weights import find_weights

MODEL = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
OWN = MODEL.state_dict()
OTHER = {name: tensor + 1 for name, tensor in OWN.items()}
PATH = Path("weights.pth")


def below(*prefixes, weights=OWN):
    return {f"{prefix}{name}": tensor for prefix in prefixes for name, tensor in weights.items()}


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "module.",
        "_orig_mod.",
        "module._orig_mod.",
        "_orig_mod.module.",
        "net.",
        "model_state_dict.",
        "state_dict_ema.",
        "checkpoint.model.module.",
        "state_dict.model.",
    ],
)
def test_weights_below_a_prefix(prefix):
    others = {"criterion.weight": torch.ones(2), "optimizer.momentum": torch.ones(1)}
    others = others if prefix not in ("", "_orig_mod.") else {}
    found = find_weights(MODEL, below(prefix) | others, PATH)
    assert found.keys() == OWN.keys()
    assert all(found[name] is OWN[name] for name in OWN)


def test_a_part_that_was_compiled():
    inside = {name.replace("0.", "0._orig_mod."): tensor for name, tensor in OWN.items()}
    assert find_weights(MODEL, inside, PATH).keys() == OWN.keys()


def test_the_moving_average_goes_before_what_it_averages():
    for averaged in ("model_ema.module.", "state_dict_ema.", "ema."):
        tensors = below("state_dict.", weights=OTHER) | below(averaged)
        assert find_weights(MODEL, tensors, PATH)["0.bias"] is OWN["0.bias"]


def test_the_schema_is_no_moving_average():
    with pytest.raises(UserError, match="different ones stand under schema, model:"):
        find_weights(MODEL, below("schema.") | below("model.", weights=OTHER), PATH)


def test_different_weights_of_the_same_names_are_refused():
    same = below("student.", "teacher.")
    assert find_weights(MODEL, same, PATH).keys() == OWN.keys()
    with pytest.raises(
        UserError, match=r"weights\.pth must hold .* once, but different ones stand under student, teacher"
    ):
        find_weights(MODEL, same | below("teacher.", weights=OTHER), PATH)


def test_what_does_not_fit_is_left_to_be_told_by_its_names():
    tensors = {"model.0.weight": OWN["0.weight"], "model.head": torch.ones(1)}
    assert find_weights(MODEL, tensors, PATH).keys() == {"0.weight", "head"}
    assert find_weights(MODEL, {"a.b": torch.ones(1)}, PATH).keys() == {"a.b"}
