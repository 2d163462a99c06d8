import pytest


@pytest.fixture(autouse=True)
def _own_mlflow(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
