"""Do two workers do twice the work of one, and does a search cost what its images, epochs and blocks say?

Six equal blocks, a cell each, that learn from the digits: run by one worker of one core and by two, as nasray schedules
them; and one of them in a process without Ray, and two in two, which is what the machine gives. Then one worker with
two blocks, with four times the images, twice the epochs, twice the blocks: what an image costs in an epoch of a block,
rating included, whose images stay as many. The machine must have two cores to spare.

    python benchmarks/scaling.py [--rounds 5] [--root runs/scaling]
"""

import argparse
import statistics
from pathlib import Path

import yaml
from plain_loop import plain_seconds
from planned_units import prepared
from timeline import Timeline, run_units
from verdicts import Verdict, tell

from nasray.cluster.cluster import ray_cluster
from nasray.scheduling.unit import Unit
from nasray.settings.experiment import ExperimentConfig, ResourcesConfig
from nasray.trainables.block_wise.units.cell import BlockSpec

BLOCKS, EPOCHS, IMAGES = 6, 4, 1200
_VARIANTS = {
    "two blocks": (2, 4, 300),
    "four times the images": (2, 4, 1200),
    "twice the epochs": (2, 8, 300),
    "twice the blocks": (4, 4, 300),
}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--root", type=Path, default=Path("runs/scaling"))
    arguments = parser.parse_args()
    one, two, limits = [], [], []
    variants: dict[str, list[float]] = {name: [] for name in _VARIANTS}
    with ray_cluster(ResourcesConfig(address="local")):
        plans = {name: plan(arguments.root, *sizes) for name, sizes in _VARIANTS.items()}
        equal = plan(arguments.root, BLOCKS, EPOCHS, IMAGES)
        _, units = equal
        for _ in range(arguments.rounds):
            one.append(run_units(*equal, 1))
            two.append(run_units(*equal, 2))
            limits.append(2 * plain_seconds(units[:1]) / plain_seconds(units[:1], units[1:2]))
            for name, (blocks, epochs, images) in _VARIANTS.items():
                seconds = run_units(*plans[name], 1).seconds
                variants[name].append(seconds / (blocks * epochs * images))
    print_workers(one, two, statistics.median(limits))
    print_growth({name: statistics.median(costs) for name, costs in variants.items()})


def plan(root: Path, blocks: int, epochs: int, images: int) -> tuple[ExperimentConfig, list[Unit]]:
    """The config and the units of the blocks, a cell each."""
    root.mkdir(parents=True, exist_ok=True)
    file = root / f"equal_{blocks}_{epochs}_{images}.yaml"
    file.write_text(yaml.safe_dump(equal_blocks(blocks, epochs, images)), encoding="utf-8")
    config, units = prepared(str(file), root, [])
    return config, [unit for unit in units if isinstance(unit.spec, BlockSpec)]


def equal_blocks(blocks: int, epochs: int, images: int) -> dict[str, object]:
    """A config of blocks that do not differ, so that none is the longest."""
    cell = {"stride": 1, "operations": ["mb3k3", "mb3k5", "mb6k3"], "cells": [{"depth": 3, "width": 24}]}
    return {
        "name": f"equal_{blocks}_{epochs}_{images}",
        "data": {"source": "digits", "num_train_images": images, "num_held_out_images": 200},
        "teacher": {"source": "largest"},
        "search_space": {
            "source": "declared",
            "stem": [{"operation": "conv3", "width": 24}],
            "head_width": 64,
            "blocks": [cell] * blocks,
        },
        "searches": [
            {
                "method": "dna",
                "epochs": epochs,
                "batch_size": 50,
                "lr": 0.01,
                "rating": {"num_batches": 4, "swap_in_images": 0},
            }
        ],
    }


def print_workers(one: list[Timeline], two: list[Timeline], limit: float) -> None:
    """Print what the second worker is worth, and what a second process is worth without Ray: the limit."""
    alone, together = (statistics.median(line.seconds for line in lines) for lines in (one, two))
    ratio = statistics.median(a.seconds / b.seconds for a, b in zip(one, two, strict=True))
    busy = statistics.median(line.busy(2) for line in two)
    print(f"{BLOCKS} equal blocks: one worker {alone:.1f} s, two {together:.1f} s: {ratio:.2f} times as fast")
    print(f"two processes without Ray against one: {limit:.2f} times as fast")
    print(f"at work while units wait: {busy:.1%} of two workers")
    tell(Verdict("two workers against one", f"{together:.1f} s", f"{alone:.1f} s", ratio, at_least=1.9))
    tell(Verdict("idle while units wait", f"{1 - busy:.1%}", "0", 1 - busy, 0.05))


def print_growth(costs: dict[str, float]) -> None:
    """Print what an image costs, an epoch and a block, in each variant."""
    base = costs["two blocks"]
    for name, cost in costs.items():
        print(f"{name:24}{1e3 * cost:.3f} ms an image, {cost / base:.2f} of two blocks'")
    worst = max(costs.values(), key=lambda cost: abs(cost / base - 1)) / base
    tell(Verdict("cost of an image when all else grows", f"{1e3 * base:.2f} ms", "1", worst))


if __name__ == "__main__":
    main()
