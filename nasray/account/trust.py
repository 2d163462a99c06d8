"""Runs whose configs may be acted on: those of this account, and those that it was told to trust.

A run's folder may come from somebody else. Its config names code to run, a cluster that is given a token, and a server
that is given a password. What a search of this account was started with is remembered by its digest, in a file of the
account's own, so that no folder can claim it, and a run that was moved is known.
"""

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasray.account.named_code import NamedCode, named_code
from nasray.account.state import state_folder
from nasray.errors import UserError
from nasray.search_spaces.files.plain_yaml import parse_yaml

_DIGITS = 32  # of a digest in hexadecimal; so many that no two sources can be made that share them
_WRITE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_PLACES = {"resources": "address", "tracking": "uri"}
_AT_HOME = ("", "auto", "local")
_OF_THIS_PROCESS: set[str] = set()  # which goes on with its own searches where it has no place for notes


@dataclass(frozen=True, slots=True)
class _Acted:
    """What would be acted on.

    Attributes:
        code: What would be run.
        places: What would be connected to, by the config's key.
    """

    code: NamedCode
    places: dict[str, str]

    @property
    def digest(self) -> str:
        text = json.dumps([self.code.names, self.code.digests, self.places], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]

    def __str__(self) -> str:
        files = ", ".join(map(str, self.code.files.values()))
        code = ", ".join(self.code.names) + (f" (in {files})" if files else "")
        places = [f"{key} {value}" for key, value in self.places.items()]
        # What a terminal would obey is spelt out.
        return "; ".join(filter(None, [code, *places])).encode("unicode_escape").decode()


def remember(config: Path) -> None:
    """Note that this account started a search with the config, where it has a place for notes."""
    acted = _acted_on(config)
    if acted is None or acted.digest in _remembered():
        return
    _OF_THIS_PROCESS.add(acted.digest)
    with suppress(OSError):  # later commands will ask
        _note(acted.digest)


def check_trusted(config: Path) -> None:
    """Hold a run's config to what this account has searched with, or was told to trust.

    Raises:
        UserError: It names something else; the message says what, and how to trust it.
    """
    acted = _acted_on(config)
    if acted is not None and acted.digest not in _remembered():
        raise UserError(
            f"RUN must be one that this account started, unless what its config names is trusted, but {config} is not "
            f"known to be, or that has changed since: it names {acted}; if you know that nothing of it does harm, give "
            f"--trust {acted.digest}"
        )


def check_methods_trusted(config: Path) -> None:
    """Hold a run's config, whose reading imports a method of a user's own, to what is trusted.

    What this process has imported already, the user has named for this launch.

    Raises:
        UserError: It names a method that is neither; see `check_trusted`.
    """
    plain = _plain(config) or {}
    searches = plain.get("searches")
    names = [search.get("method") for search in searches or () if isinstance(search, dict)]
    own = [name.partition(":")[0] for name in names if isinstance(name, str) and ":" in name]
    if any(module not in sys.modules for module in own):
        check_trusted(config)


def trust(config: Path, digest: str) -> None:
    """Trust what a run's config names, if that is what the digest was told of.

    Raises:
        UserError: It is something else.
    """
    acted = _acted_on(config)
    if acted is None:
        return
    if digest != acted.digest:
        raise UserError(
            f"--trust must be the digest of what the run's config names, got {digest}: it names {acted}, "
            f"of the digest {acted.digest}"
        )
    acted.code.forget_compiled()
    _note(digest)


def _acted_on(config: Path) -> _Acted | None:
    """What a config would be acted on by; None: nothing of the kind, or it is no config, which its reader tells."""
    plain = _plain(config)
    if plain is None:
        return None
    acted = _Acted(named_code(plain), dict(_places(plain)))
    return acted if acted.code.names or acted.places else None


def _plain(config: Path) -> dict[str, Any] | None:
    """What a config holds, if it can be read."""
    try:
        plain = parse_yaml(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return plain if isinstance(plain, dict) else None


def _places(plain: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Clusters and servers that a config names, by its key."""
    for section, key in _PLACES.items():
        group = plain.get(section)
        value = group.get(key) if isinstance(group, dict) else None
        if isinstance(value, str) and value not in _AT_HOME and not value.startswith("sqlite:"):
            yield f"{section}.{key}", value


def _file() -> Path:
    """Where digests are noted, one a line."""
    return state_folder() / "trusted"


def _remembered() -> set[str]:
    """All that this process searched with, and all noted in a file that nobody else can have written."""
    try:
        with _file().open(encoding="ascii") as file:
            found = os.fstat(file.fileno())
            if found.st_uid != os.geteuid() or found.st_mode & _WRITE_BY_OTHERS:
                return _OF_THIS_PROCESS
            return set(file.read().split()) | _OF_THIS_PROCESS
    except (OSError, ValueError):
        return _OF_THIS_PROCESS


def _note(digest: str) -> None:
    file = _file()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(f"{digest}\n")
