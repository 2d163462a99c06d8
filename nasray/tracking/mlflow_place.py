"""The place of MLflow's runs, and the reasons for which it may take none."""

import os
import tempfile
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from mlflow.exceptions import InvalidUrlException, MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from nasray.errors import UserError
from nasray.settings.experiment import ExperimentConfig
from nasray.settings.mistakes import shortened

# What a call to MLflow may raise that is no mistake of ours; ImportError: a database's driver is not installed.
PLACE_ERRORS = (MlflowException, SQLAlchemyError, ImportError, OSError)
_SQLITE = "sqlite:///"
_TOO_MANY_REQUESTS, _SERVERS_FAULT = 429, 500
_UNKNOWN_USER, _USER_MAY_NOT = 401, 403


def tracking_uri(config: ExperimentConfig) -> str:
    """Where MLflow's runs are kept: the config's URI, the environment's, or sqlite in the storage's root."""
    default = f"sqlite:///{config.storage.folder / 'mlflow.db'}"
    return config.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI") or default


def shown_uri(uri: str) -> str:
    """The URI as it may be shown, without a password or what else stands before and behind its path."""
    parts = urlsplit(uri)
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    return f"{scheme}{parts.netloc.rpartition('@')[2]}{parts.path}"


def is_away(error: Exception) -> bool:
    """Whether the same call may succeed later: what failed is the server's own fault, or the way's to it."""
    if isinstance(error, InvalidUrlException):
        return False
    if isinstance(error, MlflowException):
        status = error.get_http_status_code()
        return status >= _SERVERS_FAULT or status == _TOO_MANY_REQUESTS
    return isinstance(error, OperationalError | OSError)


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
            f"user in, got {shown_uri(uri)}, which fails ({told_reason(error, uri)}): {_remedy(error)}"
        ) from None


def _remedy(error: Exception) -> str:
    """What to do about an error that will not pass by itself."""
    if isinstance(error, ImportError):
        return "install that module, or give another address"
    if isinstance(error, MlflowException) and error.get_http_status_code() in (_UNKNOWN_USER, _USER_MAY_NOT):
        return "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the environment"
    return "correct it, for example to http://host:5000 or sqlite:////folder/mlflow.db"


def create_database(uri: str) -> None:
    """Make MLflow's database where it is a file that is not there yet, whole or not at all.

    MLflow makes its tables one by one, which takes seconds, and does not get on with a part of them.
    """
    path = Path(uri.removeprefix(_SQLITE))
    if not uri.startswith(_SQLITE) or path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        made = Path(folder, path.name)
        MlflowClient(f"{_SQLITE}{made}").search_experiments(max_results=1)
        if not path.exists():  # else another search was faster
            made.replace(path)
