import pytest

TRAINING = {"epochs": 1, "batch_size": 64, "optimizer": "adamw", "lr": 0.01}
SD_DARTS = {
    "method": "sd_darts",
    "epochs": 1,
    "self_distillation": None,
    "measure": {"num_images": 8, "noise_sigmas": [0.1]},
}


@pytest.fixture(autouse=True)
def _own_mlflow(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def comparison_in(tiny_in):
    """The smallest comparison: DNA and SD-DARTS on the digits with one seed, within a budget, in a given folder."""

    def build(folder, changes=(), **comparison):
        config = tiny_in(folder, name="compared", budgets={"num_params": 2500.0}) | dict(changes)
        arms = {
            "dna": {"searches": config.pop("searches")},
            "sd_darts": {"searches": [SD_DARTS], "budgets": {}},
        }
        judge = {"seed": 0, "sample": 4, "train": TRAINING}
        return config | {"comparison": {"seeds": [0], "arms": arms, "judge": judge} | comparison}

    return build
