"""Do voting teachers lead to better cells? NAS-Bench-201's own table says how good each of its 15,625 cells is.

The arms of `configs/sd_darts_study.yaml`, and two more, search a small supernet of that space (8 channels, one cell a
stage) on CIFAR-10's images at 16 x 16 pixels, 4,000 for the weights and 4,000 for the alphas, with paired seeds. What
each finds is looked up in the published table: the test accuracy of the whole network after 200 epochs on all images.
Printed per arm: means over seeds with standard errors, and the gain over plain DARTS, seed by seed.

    python benchmarks/sd_darts_nasbench201.py --images CIFAR10 --table TABLE [--seeds 5] [--arms plain,k3]
    python benchmarks/sd_darts_nasbench201.py --study runs/sd_darts_study --table TABLE

The second form looks up what a finished study found in this space, on whatever images, and runs nothing. TABLE is a CSV
file with the columns `architecture` (|nor_conv_3x3~0|+|...) and `accuracy` (in per cent), written from
NAS-Bench-201's own files. CIFAR10 is a folder that `cifar10_images.py` reads. Neither is ours to ship.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cifar10_images import cifar10

import nasray
from nasray.search_spaces.files.plain_yaml import parse_yaml

STUDY = Path(__file__).parents[1] / "configs" / "sd_darts_study.yaml"
_MORE_ARMS: dict[str, Any] = {
    "k3_light": {"searches.0.self_distillation": {"num_snapshots": 3, "weight": 1}},
    "k3_cache": {"searches.0.self_distillation": {"num_snapshots": 3, "mode": "cache"}},
}
SHOWN = (
    "accuracy",
    "gain",
    "num_skips",
    "alpha_eigenvalue",
    "weight_noise_slope",
    "discretization_gap",
    "seconds",
)


def main() -> None:
    """Run what is missing of the study and print what the table says of what it found."""
    arguments = _arguments()
    table = pd.read_csv(arguments.table).set_index("architecture")["accuracy"]
    if arguments.study:
        runs = pd.read_parquet(arguments.study / "comparison.parquet").query("space == 'nasbench201'")
    else:
        runs = nasray.search(_study(arguments)).comparison
    runs = runs.assign(accuracy=table.loc[runs["architecture"]].to_numpy())
    plain = runs[runs["arm"] == "plain"].set_index("seed")["accuracy"]
    runs["gain"] = runs["accuracy"] - plain.reindex(runs["seed"]).to_numpy()
    print(f"of all {len(table):,} cells: best {table.max():.2f}, median {table.median():.2f}")
    print(f"{'':<16}" + "".join(f"{name:>20}" for name in (*SHOWN, "accuracies")))
    for arm, rows in runs.groupby("arm", sort=False):
        cells = (f"{rows[name].mean():.2f} ± {rows[name].sem():.2f}" for name in SHOWN)
        each = " ".join(f"{value:.1f}" for value in np.sort(rows["accuracy"]))
        print(f"{arm:<16}" + "".join(f"{cell:>20}" for cell in cells) + f"   {each}")


def _study(arguments: argparse.Namespace) -> dict[str, Any]:
    """The shipped study, in one of its spaces, on these images, with the published accuracy instead of a training."""
    config = parse_yaml(STUDY.read_text(encoding="utf-8"))
    config["name"] = "sd_darts_nasbench201"
    config["data"] = cifar10(arguments.images) | {
        "image_size": 16,
        "num_train_images": 8000,
        "num_held_out_images": 2000,
    }
    config["searches"][0] |= {"epochs": 20, "alpha_lr": arguments.alpha_lr}
    comparison = config["comparison"]
    comparison["arms"] |= _MORE_ARMS
    # Six times as many steps an epoch.
    comparison["arms"]["ema"]["searches.0.self_distillation"]["ema_decay"] = 0.99
    comparison["spaces"] = {}
    comparison["seeds"] = list(range(arguments.seeds))
    comparison["judge"] = None  # the table knows better
    if arguments.arms:
        comparison["arms"] = {arm: comparison["arms"][arm] for arm in arguments.arms.split(",")}
    config["storage"] = {"root": arguments.root}
    config["resources"] = {"address": "local"}
    return config


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--images", type=Path, help="folder of CIFAR-10's images")
    source.add_argument("--study", type=Path, help="folder of a finished study's run")
    parser.add_argument("--table", type=Path, required=True, help="CSV: architecture, accuracy")
    parser.add_argument("--seeds", type=int, default=5, help="searches per arm")
    parser.add_argument("--arms", help="separated by commas (default: all)")
    parser.add_argument("--alpha-lr", type=float, default=3e-3, help="learning rate of the alphas")
    parser.add_argument("--root", default="runs/sd_darts_nasbench201", help="folder of the study's run")
    return parser.parse_args()


if __name__ == "__main__":
    main()
