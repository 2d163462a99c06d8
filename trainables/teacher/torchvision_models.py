"""Classifiers of torchvision, in the form that their published weights ask for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models

from nasray.errors import UserError

_AUXILIARY = {models.GoogLeNet: ("aux1", "aux2"), models.Inception3: ("AuxLogits",)}
_WITH_AUXILIARY = ("googlenet", "inception_v3")


def build_model(name: str, weights: str | None, num_classes: int) -> nn.Module:
    """The freshly initialised model of that name, without the classifiers that some have beside their last.

    Args:
        name: The model's.
        weights: Name of the published weights that it is to have, which decide the size of the images that some models
            take, and whether they normalise them anew; None: as torchvision builds it without any.
        num_classes: Of its classifier.
    """
    chosen = None if weights is None else models.get_model_weights(name)[weights]
    settings: dict[str, Any] = {}
    if name in _WITH_AUXILIARY:
        settings = {"aux_logits": False, "transform_input": chosen is not None, "init_weights": True}
    elif chosen is not None and name.startswith("vit_"):
        settings = {"image_size": chosen.meta["min_size"][0]}
    elif chosen is not None and name.startswith("maxvit_"):
        settings = {"input_size": chosen.meta["min_size"]}
    return models.get_model(name, weights=None, num_classes=num_classes, **settings)


def fetch(name: str, weights: str) -> nn.Module:
    """The model with its published weights, from the disk or the network.

    Raises:
        UserError: They are not on the disk and cannot be downloaded.
    """
    try:
        model = models.get_model(name, weights=weights)
    except OSError as error:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise UserError(
            f"{weights} of {name} could not be downloaded ({error}): download "
            f"{models.get_model_weights(name)[weights].url} elsewhere and put the file into {folder}"
        ) from error
    for part in _AUXILIARY.get(type(model), ()):
        model.aux_logits = False
        setattr(model, part, None)
    return model


def without_auxiliary(model: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights but for those of the further classifiers that published files of this model have."""
    prefixes = tuple(f"{part}." for part in _AUXILIARY.get(type(model), ()))
    return {name: tensor for name, tensor in weights.items() if not (prefixes and name.startswith(prefixes))}
