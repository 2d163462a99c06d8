"""MLflow's UI on the runs, and who can get in."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from ipaddress import ip_address
from urllib.parse import urlsplit

from rich.console import Console

from nasray.account.private_folder import private_folder
from nasray.errors import UserError
from nasray.settings.experiment import ExperimentConfig
from nasray.storage.sqlite_url import sqlite_url
from nasray.tracking.mlflow_app import NEEDS_LOGIN
from nasray.tracking.mlflow_place import shown_uri, tracking_uri

_USER = "admin"
_USERS, _PASSWORD, _KEY = (
    "MLFLOW_AUTH_CONFIG_PATH",
    "MLFLOW_AUTH_ADMIN_PASSWORD",
    "MLFLOW_FLASK_SERVER_SECRET_KEY",
)
_HOSTS = "MLFLOW_SERVER_ALLOWED_HOSTS"
_NUM_BYTES = 16  # of what nobody guesses


def serve_ui(config: ExperimentConfig, host: str, port: int, console: Console, *, needs_login: bool) -> int:
    """Serve MLflow's UI on the config's runs until it is ended; returns its exit code.

    Args:
        config: Whose runs.
        host: The address to listen on.
        port: The port to listen on.
        console: Where it says who can get in.
        needs_login: Whether only who has a password gets in: one that is made and shown, that of
            MLFLOW_AUTH_ADMIN_PASSWORD, or those of the users whose database MLFLOW_AUTH_CONFIG_PATH names.

    Raises:
        UserError: The runs are on a server, which has a UI of its own, or what a login takes is not installed.
    """
    uri = tracking_uri(config)
    if urlsplit(uri).scheme in ("http", "https"):
        raise UserError(
            f"the runs must lie in a file or a database to be shown, but they are on a server: open {shown_uri(uri)} "
            "in a browser"
        )
    # As an argument all of the machine's users could read its password.
    environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": uri}
    if _is_loopback(host):
        names = {host, "localhost", "127.0.0.1", "[::1]"}
        environment.setdefault(_HOSTS, ",".join(f"{name}:{port}" for name in sorted(names)))
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "nasray", "--workers", "1"]
    with _login() if needs_login else _open(host, port) as (told, variables):
        console.print(f"nasray: {told}", style="yellow")
        with subprocess.Popen(
            [*command, "--host", host, "--port", str(port)], env=environment | variables
        ) as server:
            try:
                return server.wait()
            finally:
                server.terminate()


@contextmanager
def _open(host: str, port: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Who can get in without a login, and no further variables."""
    who = "every account of this machine" if _is_loopback(host) else f"whoever reaches {host}:{port}"
    yield f"{who} can read, change and delete all runs; with --login only who has a password", {}


@contextmanager
def _login() -> Iterator[tuple[str, dict[str, str]]]:
    """Who can get in by a login, and the variables that tell MLflow so.

    Raises:
        UserError: What it takes is not installed.
    """
    if find_spec("flask_wtf") is None:
        raise UserError("--login must find Flask-WTF, which is not installed: pip install 'nasray[login]'")
    variables = {NEEDS_LOGIN: "1", _KEY: os.environ.get(_KEY) or secrets.token_hex(_NUM_BYTES)}
    if users := os.environ.get(_USERS):
        yield f"only the users of {users} get in", variables
        return
    given = os.environ.get(_PASSWORD)
    password = given or secrets.token_urlsafe(_NUM_BYTES)
    with private_folder("") as folder:
        file = folder / "users.ini"
        database = sqlite_url(folder / "users.db").replace("%", "%%")
        file.write_text(
            f"[mlflow]\ndefault_permission = READ\ndatabase_uri = {database}\nadmin_username = {_USER}\n",
            encoding="utf-8",
        )
        how = f"as {_USER} with the password {f'of {_PASSWORD}' if given else password}"
        yield f"only who logs in {how} gets in", {**variables, _USERS: str(file), _PASSWORD: password}


def _is_loopback(host: str) -> bool:
    """Whether what listens on this address can be reached from this machine alone."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # another name
        return False
