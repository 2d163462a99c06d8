"""Methods of search by name, and what a config must know of each before anything heavy is imported."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import GetJsonSchemaHandler, PlainValidator, SerializeAsAny
from pydantic_core import CoreSchema

from nasray.errors import UserError
from nasray.search_spaces.names.attribute import load_attribute
from nasray.search_spaces.names.suggestion import did_you_mean
from nasray.settings.mistakes import mistake, refuse
from nasray.trainables.settings.method import MethodSettings

if TYPE_CHECKING:
    from nasray.settings.experiment import ExperimentConfig

# Per method the modules of its declaration, which need neither Ray nor torch, and of what does its work.
_BUILT_IN = {
    "dna": ("nasray.methods.block_wise.declarations:DNA", "nasray.methods.block_wise.method:DNA"),
    "dna_plus": ("nasray.methods.dna_plus.declaration:DNA_PLUS", "nasray.methods.dna_plus.method:DNA_PLUS"),
    "dna_plus_plus": (
        "nasray.methods.block_wise.declarations:DNA_PLUS_PLUS",
        "nasray.methods.block_wise.method:DNA_PLUS_PLUS",
    ),
    "sd_darts": ("nasray.methods.sd_darts.declaration:SD_DARTS", "nasray.methods.sd_darts.method:SD_DARTS"),
}
METHODS = tuple(_BUILT_IN)
_CHOICE = f"must be one of {', '.join(METHODS)}, or module:attribute of a method of your own"


def _nothing(search: Any, config: ExperimentConfig) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a method is, as far as a config and a report need to know it.

    Attributes:
        settings: The class of its settings, which stand in a config's `searches`.
        stages: The names of its own stages, in their order.
        ranks: Whether it rates every candidate of every block, so that all architectures are ranked.
        finds: Whether it names one architecture as its result.
        needs_teacher: Whether its units learn from a teacher, which is trained and cut for them.
        trains_cells: Whether it leaves a trained supernet per cell, from which a network may inherit its weights and
            whose ratings may be refined.
        imitates_teacher: Whether these supernets put out what the teacher's blocks do, so that they may stand in these
            blocks' place.
        runs_searches: Whether it runs whole searches of other methods, and has no units of its own.
        length_fields: The settings that only say how far it goes: a run may go on with more.
        mistakes: What of a config does not fit settings of its class, a sentence each.
        section: The function that makes its section of a report of a `nasray.analysis.Run`, as "module:function"; it
            gives a `Section`, or None where the run has nothing to show. Empty: there is none.
    """

    settings: type[MethodSettings]
    stages: tuple[str, ...] = ()
    ranks: bool = False
    finds: bool = False
    needs_teacher: bool = False
    trains_cells: bool = False
    imitates_teacher: bool = False
    runs_searches: bool = False
    length_fields: frozenset[str] = frozenset()
    mistakes: Callable[[Any, ExperimentConfig], Iterable[str]] = _nothing
    section: str = ""


def declared(method: str) -> Declaration:
    """The declaration of a method, given by its name or, of a user's own, as "module:attribute".

    Raises:
        UserError: There is no such method, or the attribute is none.
    """
    if method in _BUILT_IN:
        return _load(_BUILT_IN[method][0])
    if ":" not in method:
        raise UserError(f"{_CHOICE}, got {method!r}{did_you_mean(method, METHODS)}")
    declaration = getattr(_load(method), "declaration", None)
    if not isinstance(declaration, Declaration):
        raise UserError(f"{method} must be a nasray.methods.Method with a declaration, got one without")
    return declaration


def read_settings(plain: Any) -> MethodSettings:
    """The settings of a search from plain data, by the class that its method declares.

    Raises:
        ValidationError: With all its mistakes.
    """
    if isinstance(plain, MethodSettings):
        return plain
    if not isinstance(plain, dict):
        refuse("a search", [mistake("must be a group of keys", plain)])
    method = plain.get("method")
    if not isinstance(method, str):
        given = "none" if method is None else repr(method)
        refuse("a search", [mistake(f"{_CHOICE}, got {given}", method, "method")])
    try:
        declaration = declared(method)
    except UserError as error:
        refuse("a search", [mistake(str(error), method, "method")])
    # Strict, as JSON, in which a list is a tuple and "5" is no number.
    return declaration.settings.model_validate_json(json.dumps(plain), strict=True)


def load_method(method: str) -> Any:
    """What does the work of a method: a `nasray.methods.method.Method`.

    Args:
        method: A name that `declared` knows.
    """
    return _load(_BUILT_IN[method][1] if method in _BUILT_IN else method)


class _SearchSchema:
    """The JSON Schema of a search: settings of any method that comes with nasray, or of one of the user's own."""

    @classmethod
    def __get_pydantic_json_schema__(cls, _: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        known = [handler(declared(method).settings.__pydantic_core_schema__) for method in METHODS]
        own = {
            "type": "object",
            "properties": {"method": {"type": "string", "pattern": ":"}},
            "required": ["method"],
        }
        return {"anyOf": [*known, own]}


Search = Annotated[SerializeAsAny[MethodSettings], PlainValidator(read_settings), _SearchSchema]
"""A search of a config: settings of the class that its method declares."""


@cache
def _load(path: str) -> Any:
    return load_attribute(path)
