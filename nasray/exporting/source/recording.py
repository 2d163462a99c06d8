"""A recording of how a network was built: the calls that made its modules, and the code that ran."""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FrameType, FunctionType
from typing import Any

import torch
from torch import nn

_LIBRARIES = ("torch", "torchvision")  # what their functions make is told by its class


@dataclass(frozen=True, slots=True, eq=False)
class Creation:
    """A call that made a module.

    Attributes:
        maker: The class or function that was called.
        arguments: Its arguments by the names of its parameters; those of *parameters are a tuple, those of
            **parameters a dict.
    """

    maker: type | FunctionType
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """What was seen while a network was built and run once.

    Attributes:
        network: The network.
        creations: Of each module, the calls that made it: its class first, the outermost function last.
        executed: The code of all Python functions that ran.
    """

    network: nn.Module
    creations: dict[nn.Module, list[Creation]]
    executed: set[CodeType]


def record(build: Callable[[], nn.Module], input_shape: tuple[int, int, int]) -> Recording:
    """Build a network, in evaluation mode, and run it on images [2, C, H, W] under the interpreter's eyes."""
    watch = _Watch()
    previous = sys.getprofile()
    sys.setprofile(watch)
    try:
        network = build().eval()
        with torch.no_grad():
            network(torch.zeros(2, *input_shape))
    finally:
        sys.setprofile(previous)
    return Recording(network, watch.creations, watch.executed)


class _Watch:
    """What the interpreter tells of every call and return."""

    def __init__(self) -> None:
        self.creations: dict[nn.Module, list[Creation]] = {}
        self.executed: set[CodeType] = set()
        self._open: dict[FrameType, Creation] = {}

    def __call__(self, frame: FrameType, event: str, result: Any) -> None:
        if event == "call":
            self.executed.add(frame.f_code)
            if frame.f_code.co_name == "__init__":
                self._note_construction(frame)
            elif (function := _module_function(frame)) is not None:
                self._open[frame] = Creation(function, _arguments(frame))
        elif event == "return" and frame in self._open:
            creation = self._open.pop(frame)
            given = any(result is argument for argument in creation.arguments.values())
            if isinstance(result, nn.Module) and not given:
                self.creations.setdefault(result, []).append(creation)

    def _note_construction(self, frame: FrameType) -> None:
        """Keep the constructor of a module's class; those of its base classes follow."""
        module, *rest = _arguments(frame).items()
        instance = module[1]
        if not isinstance(instance, nn.Module) or instance in self.creations:
            return
        if getattr(type(instance).__init__, "__code__", None) is frame.f_code:
            self.creations[instance] = [Creation(type(instance), dict(rest))]


def _module_function(frame: FrameType) -> FunctionType | None:
    """The function that runs in a frame, if its module has it under its own name."""
    if str(frame.f_globals.get("__name__")).partition(".")[0] in _LIBRARIES:
        return None
    function = frame.f_globals.get(frame.f_code.co_name)
    found = isinstance(function, FunctionType) and function.__code__ is frame.f_code
    return function if found else None


def _arguments(frame: FrameType) -> dict[str, Any]:
    """The arguments of a call that has just begun."""
    code = frame.f_code
    number = code.co_argcount + code.co_kwonlyargcount
    number += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return {name: frame.f_locals[name] for name in code.co_varnames[:number]}
