import pytest

TRAIN = {"epochs": 1, "batch_size": 64, "optimizer": "adamw", "lr": 0.01}


@pytest.fixture(scope="session")
def family_in(tiny_in):
    """The smallest family study: DNA and SD-DARTS on the digits with one seed, within a budget, in a given folder."""

    def build(folder, **changes):
        config = tiny_in(folder, name="family")
        dna = config.pop("searches")
        members = {
            "dna": {"searches": dna},
            "sd_darts": {
                "searches": [
                    {
                        "method": "sd_darts",
                        "epochs": 1,
                        "self_distillation": None,
                        "measure": {"num_images": 8, "noise_sigmas": [0.1]},
                    }
                ]
            },
        }
        own = {
            "family": {"seeds": [0], "members": members},
            "retrain": {"top": 1, "sample": 4, "training_seeds": [0], "train": TRAIN},
            "budgets": {"num_params": 2500.0},
        }
        return config | own | changes

    return build


@pytest.fixture(autouse=True)
def _own_mlflow(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
