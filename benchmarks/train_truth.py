"""Train every architecture of the small space of `truth_space.py` from scratch: the truth that ratings are held to.

Two seeds each (initial weights and the order of the images; the images are the same), tested on all 10,000 test
images. Rows are appended to `truth.csv` as they are done, and those that are there are not trained again; in the end
the file is sorted. About 90 minutes on one core.

    python benchmarks/train_truth.py [--workers 2]
"""

import argparse
import csv
import itertools
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context

import pandas as pd
import torch
from truth_space import COMPUTE, DATA, SEEDS, TABLE, TRAINING, truth_space

from nasray.search_spaces.chain.space import SearchSpace
from nasray.trainables.core.compute import place_module
from nasray.trainables.core.seeding import seed_global_generators
from nasray.trainables.core.training import train_epoch
from nasray.trainables.data.image_data import ImageData, load_data
from nasray.trainables.supervised.accuracy import accuracy
from nasray.trainables.supervised.step import SupervisedTraining

COLUMNS = ["architecture", "seed", "accuracy", "num_params", "num_macs"]


def main() -> None:
    """Train what is missing."""
    workers = _arguments().workers
    space = _data_and_space()[1]
    sizes = [block.num_candidates for block in space.blocks]
    ids = [str(space.decode(indices)) for indices in itertools.product(*map(range, sizes))]
    if not TABLE.exists():
        TABLE.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    known = set(pd.read_csv(TABLE)[["architecture", "seed"]].itertuples(index=False, name=None))
    tasks = [task for task in itertools.product(ids, SEEDS) if task not in known]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for number, row in enumerate(pool.map(_train, tasks), start=1):
            with TABLE.open("a", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow(row)
            print(f"{number} of {len(tasks)}: {row[2]:.4f} {row[0]}", flush=True)
    pd.read_csv(TABLE).sort_values(["architecture", "seed"]).to_csv(TABLE, index=False)


@cache
def _data_and_space() -> tuple[ImageData, SearchSpace]:
    """The images, and the space for them, once per process."""
    images = load_data(DATA, seed=0)
    return images, truth_space(images.input_shape, images.num_classes)


def _train(task: tuple[str, int]) -> tuple[str, int, float, int, int]:
    """The row of one network."""
    architecture, seed = task
    images, space = _data_and_space()
    torch.set_num_threads(1)
    seed_global_generators(seed, "truth")
    network = place_module(COMPUTE, space.build(architecture), torch.device("cpu"))
    method = SupervisedTraining(network, images, TRAINING, COMPUTE, seed=seed)
    for epoch in range(TRAINING.epochs):
        train_epoch(method, epoch)
    cost = space.cost(architecture)
    return architecture, seed, accuracy(network, images.test, COMPUTE), cost.num_params, cost.num_macs


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=2, help="networks trained at the same time")
    return parser.parse_args()


if __name__ == "__main__":
    main()
