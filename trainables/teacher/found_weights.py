"""The weights of a model among the tensors of a checkpoint, whatever they are nested under or wrapped in."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor, nn

from nasray.errors import UserError
from nasray.trainables.core.guards.notes import LOGGER

_COMPILED = "_orig_mod."
_AVERAGED = re.compile(r"(^|[._])ema([._]|$)")


def find_weights(model: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The tensors by the model's own names: those below the prefix under which most of these names stand.

    A prefix is what a state_dict is nested under ("model_state_dict."), and what wrappers put before names ("module.").
    Where the whole model stands under several, such as "student." and "teacher.", a moving average ("model_ema.") goes
    before what it averages.

    Args:
        model: Whose weights are wanted.
        tensors: All of the checkpoint's, by their places.
        path: The checkpoint's file, for the message.

    Raises:
        UserError: The whole model stands in the checkpoint more than once, with different weights.
    """
    own = model.state_dict().keys()
    if not any(_COMPILED in name for name in own):
        tensors = {name.replace(_COMPILED, ""): tensor for name, tensor in tensors.items()}
    found = _by_prefix(own, tensors)
    if not found:
        return dict(tensors)
    most = max(map(len, found.values()))
    prefixes = [prefix for prefix, names in found.items() if len(names) == most]
    prefix = _chosen(prefixes, {prefix: found[prefix] for prefix in prefixes}, tensors, path)
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _by_prefix(own: Iterable[str], tensors: Mapping[str, Tensor]) -> dict[str, set[str]]:
    """Per prefix, which of the model's names stand behind it."""
    own, found = set(own), defaultdict[str, set[str]](set)
    for name in tensors:
        places = [0, *(match.end() for match in re.finditer(r"\.", name))]
        for place in places:
            if name[place:] in own:
                found[name[:place]].add(name[place:])
    return found


def _chosen(
    prefixes: list[str], names: Mapping[str, set[str]], tensors: Mapping[str, Tensor], path: Path
) -> str:
    """The prefix to take of those that have as many of the model's names.

    Raises:
        UserError: It cannot be told.
    """
    averaged = [prefix for prefix in prefixes if _AVERAGED.search(prefix)]
    if len(averaged) == 1:
        if len(prefixes) > 1:
            LOGGER.warning(
                "Of the weights in %s, the moving average's, under %s, are taken", path, averaged[0][:-1]
            )
        return averaged[0]
    first, *others = averaged or prefixes
    for other in others:
        if names[first] != names[other] or any(
            not tensors[first + name].equal(tensors[other + name]) for name in names[first]
        ):
            listed = ", ".join(prefix.removesuffix(".") or "the top" for prefix in (first, *others))
            raise UserError(
                f"{path} must hold the model's weights once, but different ones stand under {listed}: save those that "
                "are meant alone"
            )
    return first
