"""Where MLflow's runs are, and the UI that shows them."""

import os
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from mlflow.tracking import MlflowClient

from nasray.config import ExperimentConfig

_SQLITE = "sqlite:///"


def tracking_uri(config: ExperimentConfig) -> str:
    """Where MLflow's runs are kept: the config's URI, the environment's, or sqlite in the storage's root."""
    default = f"sqlite:///{config.storage.folder / 'mlflow.db'}"
    return config.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI") or default


def shown_uri(uri: str) -> str:
    """The URI as it may be shown, without a password or what else stands before and behind its path."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


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


def start_ui(config: ExperimentConfig, host: str, port: int) -> None:
    """Serve MLflow's UI on the config's runs, in place of this process.

    Raises:
        ValueError: The runs are on a server, which has a UI of its own.
    """
    uri = tracking_uri(config)
    if urlsplit(uri).scheme in ("http", "https"):
        raise ValueError(
            f"the runs must lie in a file or a database to be shown, but they are on a server: open {shown_uri(uri)} "
            "in a browser"
        )
    os.environ["MLFLOW_BACKEND_STORE_URI"] = (
        uri  # as an argument all of the machine's users could read its password
    )
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", "--host", host, "--port", str(port)])
