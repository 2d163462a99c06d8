"""The teacher: any torch classifier, built from what a config says, with its weights."""

import hashlib
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision import models

from nasray.errors import UserError
from nasray.search_spaces.architecture import Architecture
from nasray.search_spaces.chain.scaling import build_scaled
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.names.attribute import call_named
from nasray.search_spaces.names.suggestion import did_you_mean
from nasray.trainables.settings.teacher import CHECKPOINT_SUFFIXES, TeacherConfig, is_checkpoint
from nasray.trainables.teacher.torchvision_models import build_model, fetch, without_auxiliary

NUM_NAMES_SHOWN = 5
_OF_THE_SPACE = ("largest", "architecture")


def build_teacher(config: TeacherConfig, space: SearchSpace) -> nn.Module:
    """The teacher for the space's images and classes; torch's global generator initialises what is not loaded.

    Raises:
        UserError: There is no such model, or its weights are missing or do not fit.
    """
    if config.weights is not None and not is_checkpoint(config.weights):
        check_weights_name(config, space.num_classes)
        return fetch(config.source, config.weights)
    model = build_untrained(config, space)
    if config.weights is not None:
        load_weights(model, Path(config.weights))
    return model


def build_untrained(config: TeacherConfig, space: SearchSpace) -> nn.Module:
    """The teacher as `build_teacher` gives it, but freshly initialised.

    Raises:
        UserError: There is no such model, or none with weights of that name.
    """
    space = replace(space, num_classes=config.num_classes or space.num_classes)
    if ":" in config.source:
        return _from_function(config.source, space)
    if config.source == "largest":
        return space.build(space.largest())
    if config.architecture is not None:
        return build_scaled(space, Architecture.parse(config.architecture), config.scaling)
    _check_known(config.source)
    name = None if is_checkpoint(config.weights) else config.weights
    if name is not None:
        check_weights_name(config, space.num_classes)
    return build_model(config.source, name, space.num_classes)


def check_weights_name(config: TeacherConfig, num_classes: int) -> None:
    """Hold the name of torchvision's weights to the model and to the data's classes, without loading them.

    Raises:
        UserError: The model has no weights of that name, or they tell other classes apart.
    """
    name, weights = config.source, str(config.weights)
    files = f"a {', '.join(CHECKPOINT_SUFFIXES)} file"
    if name in _OF_THE_SPACE or ":" in name:
        raise UserError(f"teacher.weights must be {files}, got {weights!r}")
    _check_known(name)
    available = models.get_model_weights(name).__members__
    if weights not in available:
        raise UserError(
            f"teacher.weights of {name} must be one of {', '.join(available)} or {files}, got {weights!r}"
        )
    num_known, num_wanted = len(available[weights].meta["categories"]), config.num_classes or num_classes
    if num_known != num_wanted:
        raise UserError(
            f"{weights} of {name} tells {num_known} classes apart, not {num_wanted}: "
            f"set teacher.num_classes={num_known} to keep the teacher's own classifier"
        )


def load_weights(model: nn.Module, path: Path) -> None:
    """Load a checkpoint into `model`, be it nested under "state_dict" or "model" or saved from a parallel wrapper.

    Raises:
        UserError: The file is missing, holds something else, or has other names or shapes than the model.
    """
    weights = without_auxiliary(model, _read_checkpoint(path))
    own = model.state_dict()
    if not any(name.startswith("module.") for name in own):
        weights = {name.removeprefix("module."): tensor for name, tensor in weights.items()}
    # Old checkpoints, and those of other frameworks, do not count batches.
    names = _names_of_one(own)
    missing = [
        name
        for name in own.keys() - weights.keys()
        if not name.endswith(".num_batches_tracked") and weights.keys().isdisjoint(names[name])
    ]
    unexpected = weights.keys() - own.keys()
    reshaped = [
        f"{name} {tuple(weights[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own.keys() & weights.keys()
        if weights[name].shape != own[name].shape
    ]
    torn = [
        " and ".join(same)
        for same in set(names.values())
        if len({weights[name].numpy(force=True).tobytes() for name in same if name in weights}) > 1
    ]
    problems = {
        "lacks": missing,
        "has unknown": unexpected,
        "has": reshaped,
        "has different values for the one weight": torn,
    }
    if any(problems.values()):
        listed = "; ".join(f"{verb} {_shorten(names)}" for verb, names in problems.items() if names)
        raise UserError(f"{path} must hold the weights of this {type(model).__name__}, but it {listed}")
    model.load_state_dict(weights, strict=False)


def fingerprint(module: nn.Module) -> str:
    """Content address of a module's parameters and buffers: their names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _from_function(source: str, space: SearchSpace) -> nn.Module:
    model = call_named(source, space.input_shape, space.num_classes)
    if not isinstance(model, nn.Module):
        raise UserError(f"{source} must return a torch.nn.Module, got {type(model).__name__}")
    return model


def _names_of_one(tensors: Mapping[str, Tensor]) -> dict[str, tuple[str, ...]]:
    """Per name, all the names under which the same tensor stands."""
    by_tensor: dict[Any, list[str]] = {}
    for name, tensor in tensors.items():
        key = (tensor.data_ptr(), tensor.shape, tensor.stride()) if tensor.numel() else name
        by_tensor.setdefault(key, []).append(name)
    return {name: tuple(same) for same in by_tensor.values() for name in same}


def _check_known(name: str) -> None:
    known = models.list_models(module=models)
    if name not in known:
        raise UserError(
            'teacher.source must be "largest", "architecture", "module:function" or a classifier of torchvision, '
            f"got {name!r}{did_you_mean(name, known)}"
        )


def _read_checkpoint(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise UserError(f"teacher.weights must be a file, there is none at {path}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise UserError(f"{path} must hold tensors alone, reading it failed: {error}") from error
    for key in ("state_dict", "model"):
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not (isinstance(found, Mapping) and all(isinstance(value, Tensor) for value in found.values())):
        raise UserError(f"{path} must hold a state_dict, at the top or under state_dict or model")
    return dict(found)


def _shorten(names: Iterable[str]) -> str:
    """The first few of the names, and how many there are."""
    names = sorted(names)
    more = f" and {len(names) - NUM_NAMES_SHOWN} more" if len(names) > NUM_NAMES_SHOWN else ""
    return ", ".join(names[:NUM_NAMES_SHOWN]) + more
