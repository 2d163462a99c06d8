"""The teacher: any torch classifier, built from what a config says, with its weights."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models

from nasray.errors import UserError
from nasray.search_spaces.architecture import Architecture
from nasray.search_spaces.chain.scaling import build_scaled
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.names.attribute import call_named
from nasray.search_spaces.names.suggestion import did_you_mean
from nasray.trainables.settings.teacher import TeacherConfig, is_checkpoint
from nasray.trainables.teacher.checkpoint_file import read_tensors
from nasray.trainables.teacher.found_weights import find_weights
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
    files = "the path of a checkpoint's file, such as ./weights.pth"
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
    """Load a checkpoint into `model`, whatever it is nested under, or saved from a wrapper of the model's.

    Raises:
        UserError: The file is missing, damaged or holds something else, has other names or shapes than the model, or
            values that are no numbers.
    """
    weights = without_auxiliary(model, find_weights(model, read_tensors(path), path))
    own = model.state_dict()
    unexpected = weights.keys() - own.keys()
    # Old checkpoints, and those of other frameworks, do not count batches.
    names = _names_of_one(own)
    missing = [
        name
        for name in own.keys() - weights.keys()
        if not name.endswith("num_batches_tracked") and weights.keys().isdisjoint(names[name])
    ]
    shapes = {
        name: (tuple(weights[name].shape), tuple(own[name].shape))
        for name in sorted(own.keys() & weights.keys())
        if weights[name].shape != own[name].shape
    }
    torn = [
        " and ".join(same)
        for same in set(names.values())
        if len({weights[name].numpy(force=True).tobytes() for name in same if name in weights}) > 1
    ]
    problems = {
        "lacks": missing,
        "has unknown": unexpected,
        "has": [f"{name} {given} instead of {wanted}" for name, (given, wanted) in shapes.items()],
        "has different values for the one weight": torn,
        "has NaN or infinite values in": _not_finite(model, weights),
    }
    if any(problems.values()):
        listed = "; ".join(f"{verb} {_shorten(names)}" for verb, names in problems.items() if names)
        hint = "" if missing or unexpected else _of_other_classes(shapes.values())
        raise UserError(f"{path} must hold the weights of this {type(model).__name__}, but it {listed}{hint}")
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


def _not_finite(model: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """The names of parameters that are not finite, and of buffers that have NaN: a mask may be infinite."""
    trained = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    return [
        name
        for name, tensor in weights.items()
        if tensor.is_floating_point()
        and bool((~tensor.isfinite() if name in trained else tensor.isnan()).any())
    ]


def _of_other_classes(shapes: Iterable[tuple[tuple[int, ...], tuple[int, ...]]]) -> str:
    """What to do where the shapes, those given and those wanted, differ in one number of outputs alone."""
    firsts = {(given[:1], wanted[:1]) for given, wanted in shapes}
    same_inputs = all(given[1:] == wanted[1:] for given, wanted in shapes)
    if len(firsts) != 1 or not same_inputs:
        return ""
    (((num_given,), _),) = firsts
    return f": if it tells {num_given} classes apart, set teacher.num_classes={num_given}"


def _check_known(name: str) -> None:
    known = models.list_models(module=models)
    if name not in known:
        raise UserError(
            'teacher.source must be "largest", "architecture", "module:function" or a classifier of torchvision, '
            f"got {name!r}{did_you_mean(name, known)}"
        )


def _shorten(names: Iterable[str]) -> str:
    """The first few of the names, and how many there are."""
    names = sorted(names)
    more = f" and {len(names) - NUM_NAMES_SHOWN} more" if len(names) > NUM_NAMES_SHOWN else ""
    return ", ".join(names[:NUM_NAMES_SHOWN]) + more
