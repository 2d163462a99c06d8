"""An exported network as an MLflow model, which `mlflow.pyfunc` and `mlflow models` load without nasray."""

import ast
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.models import ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types import Schema, TensorSpec

from nasray.errors import UserError
from nasray.exporting.formats import FILES

MODEL_NAME = "network"
_SCRIPT = Path(__file__).with_name("pyfunc_model.py")


def log_network(client: MlflowClient, run_id: str, folder: Path) -> str:
    """Log an exported folder, of format torch, as a model of a run.

    The model takes pixels [B, C, H, W], float32 in 0..1, normalises them itself, and gives the probability of each
    class, [B, num_classes]. The run is left as it was, running or ended.

    Args:
        client: Where the runs are kept.
        run_id: The run.
        folder: What `export_network` made.

    Returns:
        The model's URI, as `mlflow.pyfunc.load_model` takes it.

    Raises:
        UserError: The folder holds no `model.py`.
    """
    path = folder / FILES["torch"]
    if not path.is_file():
        raise UserError(
            f"an MLflow model is made from an export of format torch, but {folder} has no {path.name}"
        )
    statements = ast.parse(path.read_text(encoding="utf-8")).body
    input_shape, num_classes = (_constant(statements, name) for name in ("INPUT_SHAPE", "NUM_CLASSES"))
    single = np.dtype(np.float32)
    signature = ModelSignature(
        Schema([TensorSpec(single, (-1, *input_shape))]), Schema([TensorSpec(single, (-1, num_classes))])
    )
    status = client.get_run(run_id).info.status
    try:
        with _tracking(client.tracking_uri), mlflow.start_run(run_id=run_id, nested=True):
            logged = mlflow.pyfunc.log_model(
                name=MODEL_NAME,
                python_model=str(_SCRIPT),
                artifacts={"network": str(folder)},
                signature=signature,
                input_example=np.zeros((1, *input_shape), single),
                pip_requirements=_requirements(statements),
            )
    finally:
        client.update_run(run_id, status=status)
    return logged.model_uri


def _constant(statements: list[ast.stmt], name: str) -> Any:
    """The value of a constant of `model.py`, read without running the file."""
    for statement in statements:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
            return ast.literal_eval(statement.value)
    raise UserError(f"model.py must define {name}: export the network again")


def _requirements(statements: list[ast.stmt]) -> list[str]:
    """The installed packages that `model.py` and the script import, at their versions here."""
    names = {"mlflow", "numpy", "torch"}
    for statement in statements:
        if isinstance(statement, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            names.add(str(statement.module).partition(".")[0])
    of_package = packages_distributions()
    # Several distributions may fill one package; that of its name is the whole.
    distributions = {
        name if name in of_package[name] else of_package[name][0] for name in names - sys.stdlib_module_names
    }
    return [f"{name}=={version(name)}" for name in sorted(distributions)]


@contextmanager
def _tracking(uri: str) -> Iterator[None]:
    """MLflow's global tracking URI for a while; it stands in the environment, too, which others read."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)
