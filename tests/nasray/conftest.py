import shutil

import pytest
import ray

from nasray.experiment import search

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


def _tiny(folder):
    """The config of the smallest search that goes end to end: digits, two blocks, three cells."""
    return {
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
        "retrain": None,  # the evidence has tests of its own
        "resources": {"in_process": True},  # where it is not Ray that is tested
        "storage": {"root": str(folder / "runs")},
    }


@pytest.fixture(scope="session")
def tiny_in():
    """The smallest search with changes, in a given folder."""
    return lambda folder, **changes: _tiny(folder) | changes


@pytest.fixture
def tiny(tmp_path):
    """The smallest search with changes, in a folder of the test's own."""
    return lambda **changes: _tiny(tmp_path) | changes


@pytest.fixture
def tiny_on_ray(ray_of_two, tmp_path):
    """The same, scheduled by Ray."""
    return lambda **changes: _tiny(tmp_path) | {"resources": {}} | changes


@pytest.fixture(scope="session")
def finished(tiny_in, tmp_path_factory):
    """The result of the smallest search, run once for all tests that need one, which leave it as it is."""
    return search(tiny_in(tmp_path_factory.mktemp("finished")))


@pytest.fixture
def tiny_finished(finished, tiny, tmp_path):
    """The smallest search in a folder of the test's own, where all of it has been run."""
    shutil.copytree(finished.folder.parent, tmp_path / "runs")
    return tiny
