"""The token by which the processes of a Ray cluster know each other."""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ray._private.authentication.authentication_token_setup import AuthenticationTokenLoader, Config

from nasray.account.changed_environment import changed_environment

_MODE, _TOKEN, _FILE = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
_OTHERS = "RAY_ENABLE_K8S_TOKEN_AUTH"  # tokens are checked elsewhere
_NUM_BYTES = 32  # as many as Ray's own have


@contextmanager
def new_token(file: Path) -> Iterator[None]:
    """Within, this process and those that it starts demand and give a new token, which stands in the file alone.

    In the environment itself it would stand in whatever writes that down.
    """
    file.touch(0o600, exist_ok=False)
    file.write_text(secrets.token_hex(_NUM_BYTES), encoding="utf-8")
    with _environment({_MODE: "token", _FILE: str(file), _TOKEN: None, _OTHERS: None}):
        yield


@contextmanager
def account_token() -> Iterator[None]:
    """Within, this process gives the account's token, if it has one and the environment does not say otherwise.

    So does Ray where it finds a cluster by itself, but not at an address that it is told.
    """
    mode = os.environ.get(_MODE)
    if mode is None and AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True):
        mode = "token"
    with _environment({_MODE: mode}):
        yield


@contextmanager
def _environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    """Within, the environment is so changed, and Ray has read it."""
    try:
        with changed_environment(variables):
            _read_again()
            yield
    finally:
        _read_again()


def _read_again() -> None:
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()
