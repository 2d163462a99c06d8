import json
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from nasray.exporting.export import export_network
from nasray.exporting.mlflow_model import log_network

# What a receiver does, who has mlflow and torch, but no nasray.
RECEIVER = """
import json, sys
sys.modules["nasray"] = None
import mlflow
import numpy as np
import torch
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
pixels = np.random.default_rng(0).random((3, 1, 8, 8), dtype=np.float32)
probabilities = model.predict(pixels)
sys.path.insert(0, sys.argv[3])
from model import load, predict
expected = predict(load(), torch.from_numpy(pixels)).numpy()
print(json.dumps([bool(np.array_equal(probabilities, expected)), str(probabilities.dtype), list(probabilities.shape)]))
"""


@pytest.fixture
def client(tmp_path):
    return MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")


@pytest.fixture
def run_id(client, tmp_path):
    experiment = client.create_experiment("small", artifact_location=(tmp_path / "artifacts").as_uri())
    return client.create_run(experiment).info.run_id


def test_a_model_that_loads_without_nasray(of_each_space, client, run_id, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = export_network(of_each_space("chain"), output=tmp_path / "network")
    before = mlflow.get_tracking_uri()
    uri = log_network(client, run_id, folder)
    assert mlflow.get_tracking_uri() == before
    assert "MLFLOW_TRACKING_URI" not in os.environ
    run = client.get_run(run_id)
    assert run.info.status == "RUNNING"
    assert [f"models:/{output.model_id}" for output in run.outputs.model_outputs] == [uri]
    command = [sys.executable, "-I", "-c", RECEIVER, client.tracking_uri, uri, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert json.loads(done.stdout.splitlines()[-1]) == [True, "float32", [3, 10]]
    mlflow.set_tracking_uri(client.tracking_uri)
    info = mlflow.models.get_model_info(uri)
    requirements = Path(mlflow.artifacts.download_artifacts(uri), "requirements.txt").read_text()
    mlflow.set_tracking_uri(None)
    assert str(info.signature.inputs.inputs[0].shape) == "(-1, 1, 8, 8)"
    assert str(info.signature.outputs.inputs[0].shape) == "(-1, 10)"
    names = [line.partition("==")[0] for line in requirements.splitlines()]
    assert names == ["mlflow", "numpy", "safetensors", "torch", "torchvision"]


def test_another_format_is_no_model(client, run_id, tmp_path):
    with pytest.raises(ValueError, match=r"made from an export of format torch, but .* has no model\.py"):
        log_network(client, run_id, tmp_path)
