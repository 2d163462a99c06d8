"""The place of MLflow's runs, and the reasons for which it may take none."""

import os
import re
import shlex
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from mlflow.exceptions import InvalidUrlException, MlflowException, RestException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from nasray.errors import UserError
from nasray.settings.experiment import ExperimentConfig
from nasray.settings.mistakes import shortened
from nasray.storage.sqlite_url import is_sqlite, sqlite_path, sqlite_url

# What a call to MLflow may raise that is no mistake of ours; ImportError: a database's driver is not installed.
PLACE_ERRORS = (MlflowException, SQLAlchemyError, ImportError, OSError)
# What databases say that are there, or will be, but take nothing now; they have no codes in common.
_PASSING = re.compile(
    r"connect|timed? ?out|locked|is full|starting up|shutting down|recovery|too many|gone away|translate host|resolve",
    re.IGNORECASE,
)
_OLD_SCHEMA = "out-of-date database schema"
_TOO_MANY_REQUESTS, _SERVERS_FAULT = 429, 500
_UNKNOWN_USER, _USER_MAY_NOT = 401, 403


def tracking_uri(config: ExperimentConfig) -> str:
    """Where MLflow's runs are kept: the config's URI, the environment's, or sqlite in the storage's root."""
    given = config.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI")
    return given or sqlite_url(config.storage.folder / "mlflow.db")


def shown_uri(uri: str) -> str:
    """The URI as it may be shown, without a password or what else stands before and behind its path."""
    if is_sqlite(uri):
        return uri
    parts = urlsplit(uri)
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    return f"{scheme}{parts.netloc.rpartition('@')[2]}{parts.path}"


def is_away(error: Exception) -> bool:
    """Whether the same call may succeed later: what failed is the server's own fault, or the way's to it."""
    if does_not_answer(error):
        return True
    if isinstance(error, MlflowException) and _is_answer(error):
        status = error.get_http_status_code()
        return status >= _SERVERS_FAULT or status == _TOO_MANY_REQUESTS
    database_error = error.__cause__ if isinstance(error, MlflowException) else error
    return isinstance(database_error, OperationalError) and _PASSING.search(str(database_error)) is not None


def does_not_answer(error: Exception) -> bool:
    """Whether nothing was heard, of a server above all; all else has a reason of its own."""
    if isinstance(error, InvalidUrlException | SQLAlchemyError):
        return False
    if isinstance(error, MlflowException):
        # Of a network MLflow has the error behind its own.
        return isinstance(error.__cause__ or error.__context__, OSError)
    return isinstance(error, ConnectionError | TimeoutError)


def _is_answer(error: MlflowException) -> bool:
    """Whether an error is what a server answered; MLflow speaks of a database here, such as an old one, by itself."""
    return isinstance(error, RestException) or str(error).startswith("API request")


def told_reason(error: Exception, uri: str) -> str:
    """What an error says, in one line of bearable length, without the secrets of the URI."""
    text = str(error).replace(uri, shown_uri(uri))
    user, at, _ = urlsplit(uri).netloc.rpartition("@")
    if at:  # MLflow may say the URI in another spelling
        text = text.replace(f"{user}@", "")
    return shortened(" ".join(text.split()))


@cache  # whom MLflow let in once is not asked again: credentials that expire end no search of several parts
def check_place(uri: str) -> None:
    """Ask MLflow for something, before anything runs that would be in vain; a server that is away is no mistake.

    Raises:
        UserError: The address or the credentials are wrong, or a driver is missing.
    """
    try:
        create_database(uri)
        MlflowClient(tracking_uri=uri).search_experiments(max_results=1)
    except (*PLACE_ERRORS, ValueError) as error:
        if is_away(error):
            return
        raise UserError(
            "tracking.uri, or MLFLOW_TRACKING_URI, must be the address of an MLflow server or database that lets this "
            f"user in, got {shown_uri(uri)}, which fails ({told_reason(error, uri)}): {_remedy(error, uri)}"
        ) from None


def _remedy(error: Exception, uri: str) -> str:
    """What to do about an error that will not pass by itself."""
    if _OLD_SCHEMA in str(error):
        upgrade = f"mlflow db upgrade {shlex.quote(shown_uri(uri))}"
        return f"keep a copy of the database and run `{upgrade}`, or give another address"
    if isinstance(error, ImportError):
        return "install that module, or give another address"
    if isinstance(error, MlflowException) and error.get_http_status_code() in (_UNKNOWN_USER, _USER_MAY_NOT):
        return "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the environment"
    return "correct it, for example to http://host:5000 or sqlite:////folder/mlflow.db"


def create_database(uri: str) -> None:
    """Make MLflow's database where it is a file that is not there yet, whole or not at all.

    MLflow makes its tables one by one, which takes seconds, and does not get on with a part of them.
    """
    path = sqlite_path(uri)
    if path is None:
        return
    if path.exists():
        _check_file(path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        made = Path(folder, path.name)
        MlflowClient(sqlite_url(made)).search_experiments(max_results=1)
        if not path.exists():  # else another search was faster
            made.replace(path)


def _check_file(path: Path) -> None:
    """Open a database's file once, since MLflow tries again for minutes whatever is wrong with it.

    Raises:
        OperationalError: It cannot be read, or is no database.
    """
    try:
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        raise OperationalError(None, None, error) from None
