"""MLflow's server that is away for a while."""

import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil
from mlflow.tracking import MlflowClient

from faults.outcome import Outcome, Place
from faults.search import Search, SurvivalError

_TRAINED = {"teacher": 4, "block_0/2x8": 12, "block_0/1x12": 12, "block_1/2x16": 12}  # units and their epochs


def stop_mlflow(place: Place) -> Outcome:
    """The server dies while a cell is trained, and is back after the search has ended, or before."""
    for number, is_back in enumerate((False, True)):
        folder, port = place.folder / str(number), _free_port()
        uri = f"http://127.0.0.1:{port}"
        folder.mkdir(parents=True)
        server = _start_server(folder, port)
        try:
            with Search(folder, environment={"MLFLOW_TRACKING_URI": uri}) as search:
                search.start()
                search.wait_until(lambda search=search: bool(search.checkpoints()))
                _stop(server)
                if is_back:
                    time.sleep(1)
                    server = _start_server(folder, port)
                search.finish()
                place.check(search)
                if not is_back:
                    server = _start_server(folder, port)
                    search.complete()
                _check(uri)
        finally:
            _stop(server)
    return Outcome(2, 2, 0.0)


def _start_server(folder: Path, port: int) -> psutil.Popen:
    """A server on the loopback interface that answers."""
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    places = ["--backend-store-uri", f"sqlite:///{folder / 'server.db'}"]
    places += ["--artifacts-destination", str(folder / "artifacts")]
    with (folder / "server.txt").open("a") as log:
        server = psutil.Popen([*command, *places], stdout=log, stderr=subprocess.STDOUT)
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                return server
        except (URLError, OSError):
            if server.poll() is not None:
                raise SurvivalError(f"MLflow's server did not start: see {folder / 'server.txt'}") from None
            time.sleep(0.2)


def _stop(server: psutil.Popen) -> None:
    """SIGKILL to the server and its workers."""
    if not server.is_running():
        return
    for process in [server, *server.children(recursive=True)]:
        process.kill()
    server.wait()


def _check(uri: str) -> None:
    """Hold MLflow to having every epoch of every unit, once.

    Raises:
        SurvivalError: Something is missing, or there twice.
    """
    client = MlflowClient(uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = {run.data.tags.get("unit"): run for run in client.search_runs(experiments)}
    for unit, num_epochs in _TRAINED.items():
        run = runs.get(unit)
        steps = (
            [] if run is None else [m.step for m in client.get_metric_history(run.info.run_id, "train_loss")]
        )
        if run is None or run.info.status != "FINISHED" or steps != list(range(1, num_epochs + 1)):
            raise SurvivalError(f"MLflow must have all epochs of {unit} once, it has {steps}")
    if not any(str(unit).startswith("result/") for unit in runs):
        raise SurvivalError("MLflow must have the search's result, it has none")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
