"""A copy of a user's module, or a message that says why there can be none."""

import copy
from typing import TypeVar

import torch
from torch import nn

from nasray.errors import UserError

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def copied(module: ModuleT, what: str) -> ModuleT:
    """A copy that shares nothing with the module.

    Args:
        module: The module.
        what: What it is, for the message.

    Raises:
        UserError: It cannot be copied.
    """
    try:
        with torch.no_grad():  # or parameters of a scripted part were no leaves
            return copy.deepcopy(module)
    except Exception as error:
        text = str(error).partition(". ")[0].partition("\n")[0].strip()
        raise UserError(
            f"{what} must be one that copy.deepcopy copies, it failed: {type(error).__name__}: {text}: keep in it no "
            "tensors that were computed from parameters, as torch.nn.utils.weight_norm does, in whose place "
            "torch.nn.utils.parametrizations.weight_norm may stand"
        ) from error
