import pytest
import ray

TINY_SPACE = {
    "source": "declared",
    "stem": [{"operation": "conv3", "width": 8}],
    "blocks": [
        {
            "stride": 2,
            "operations": ["skip", "mb3k3"],
            "cells": [{"depth": 2, "width": 8}, {"depth": 1, "width": 12}],
        },
        {"stride": 2, "operations": ["skip", "sep3", "mb3k3"], "cells": [{"depth": 2, "width": 16}]},
    ],
}


@pytest.fixture(scope="session")
def ray_of_two():
    """A local Ray of two CPUs for all tests that run a schedule."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


@pytest.fixture
def tiny(tmp_path):
    """The smallest search that goes end to end: digits, two blocks, three cells."""

    def build(**changes):
        plain = {
            "name": "tiny",
            "data": {"source": "digits", "num_train_images": 256, "num_held_out_images": 64},
            "teacher": {
                "source": "largest",
                "train": {"epochs": 2, "batch_size": 64, "optimizer": "adamw", "lr": 0.01},
            },
            "search_space": TINY_SPACE,
            "features": {"mode": "cached", "shard_rows": 100},
            "searches": [
                {
                    "method": "dna",
                    "epochs": 3,
                    "batch_size": 64,
                    "rating": {"num_batches": 4, "calibration_images": 64, "calibration_batch_size": 32},
                }
            ],
            "storage": {"root": str(tmp_path / "runs")},
        }
        return plain | changes

    return build
