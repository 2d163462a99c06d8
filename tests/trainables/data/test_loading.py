import itertools
import os
import signal
import subprocess
import sys

import psutil
import pytest
import torch

from nasray.search_spaces.settings import SpaceConfig
from nasray.trainables.block_wise.block_data import BlockData, OnlineSource
from nasray.trainables.data.image_data import load_data
from nasray.trainables.data.loading import loaded
from nasray.trainables.features.cache import FeatureStore
from nasray.trainables.inputs import UnitInputs, UnitSpec
from nasray.trainables.sd_darts.halves import Halves
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.settings.features import FeatureConfig

ALONE, HELPED = (ComputeConfig(device="cpu", num_workers=number) for number in (0, 2))
DATA = DataConfig(num_train_images=50, num_held_out_images=20, augment={"crop_padding": 1})


@pytest.fixture(scope="module")
def images():
    return load_data(DATA, seed=0)


def assert_same(ones, others):
    assert len(ones) == len(others) > 0
    assert all(torch.equal(one, other) for one, other in zip(ones, others, strict=True))


def test_jobs_are_done_in_order_by_other_processes():
    def load(job):
        return torch.tensor([job, os.getpid()])

    jobs, processes = zip(*(batch.tolist() for batch in loaded(load, range(10), 2)), strict=True)
    assert jobs == tuple(range(10))
    assert len(set(processes)) == 2
    assert os.getpid() not in processes
    assert {int(batch[1]) for batch in loaded(load, range(10), 0)} == {os.getpid()}


@pytest.mark.parametrize("batches", ["train_batches", "view_batches"])
def test_a_block_is_given_the_same_features(images, teacher, batches):
    def run(compute):
        data = BlockData(images, OnlineSource(teacher, 1, FeatureConfig(), compute), compute, seed=0)
        return list(itertools.chain(*getattr(data, batches)(3, 16)))

    assert_same(run(ALONE), run(HELPED))


def test_halves_are_given_the_same_images(images):
    def run(compute):
        return [
            tensor
            for pair in Halves(images, compute, seed=0).batches(1, 10)
            for batch in pair
            for tensor in batch
        ]

    assert_same(run(ALONE), run(HELPED))


def test_stored_features_are_the_same_and_lie_at_the_same_place(images, teacher, tmp_path):
    stores = [
        FeatureStore(
            tmp_path / name,
            "teacher",
            images.train,
            (0, 1),
            FeatureConfig(mode=("cached",), batch_size=10, views=2),
            compute,
        )
        for name, compute in (("alone", ALONE), ("helped", HELPED))
    ]
    files = []
    for store in stores:
        store.write_shard(0, teacher)
        files.append((store.folder / "boundary_1" / "0.npy").read_bytes())
    assert stores[0].folder.name == stores[1].folder.name
    assert files[0] == files[1]


def test_results_stay_those_of_the_same_inputs(tmp_path):
    def fingerprint(compute):
        inputs = UnitInputs(seed=0, data=DATA, search_space=SpaceConfig(source="digits"), compute=compute)
        return UnitSpec(kind="unit", name="unit", folder=tmp_path, inputs=inputs).fingerprint

    assert fingerprint(ALONE) == fingerprint(HELPED)
    assert fingerprint(ALONE) != fingerprint(ComputeConfig(device="cpu", num_threads=2))


_LOADER = """
import time
from nasray.trainables.data.loading import loaded

for _ in loaded(lambda job: time.sleep(0.1), range(10_000), 2):
    print("loaded", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_none_is_left_of_a_process_that_dies(number):
    with subprocess.Popen([sys.executable, "-c", _LOADER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "loaded\n"
        workers = psutil.Process(process.pid).children()
        assert len(workers) == 2
        process.send_signal(number)
        process.wait(30)
        _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive
