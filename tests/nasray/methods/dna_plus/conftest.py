import pytest

TRAIN = {"epochs": 1, "batch_size": 64, "optimizer": "adamw", "lr": 0.01}
RETRAIN = {"top": 1, "sample": 3, "train": TRAIN, "distillation": {}, "stitched": False}


@pytest.fixture(scope="session")
def plus_in(tiny_in):
    """The smallest search in generations: two of them, with changes of its settings, in a given folder."""

    def build(folder, **changes):
        config = tiny_in(folder, name="plus", retrain=RETRAIN)
        settings = {
            "method": "dna_plus",
            "generations": 2,
            "margin": 0.9,
            "scaling": {"power": 2},
            "epochs": 2,
        }
        config["searches"] = [config["searches"][0] | settings | changes]
        return config

    return build


@pytest.fixture
def plus(plus_in, tmp_path):
    """That search in a folder of the test's own."""
    return lambda **changes: plus_in(tmp_path, **changes)


@pytest.fixture(autouse=True)
def _own_mlflow(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
