"""Do scores order the networks of a published benchmark as their authors' trainings do?

All 6,561 networks of NAS-Bench-Macro (`macro_space.py`), whose accuracies on CIFAR-10, means of three trainings on all
images, are the table that its authors publish. Each arm is a DNA search of that space on 10,000 of the training images,
taught by the space's largest network, which is trained on the same images first. Printed is what `ranking_truth.py`
prints of its own truth. `--images-used`, `--image-size` and
`--epochs` make it smaller.

    python benchmarks/nas_bench_macro.py --images CIFAR10 --table nas-bench-macro_cifar10.json
        [--images-used 10000] [--image-size 32] [--epochs 10] [--seeds 1] [--arms "default,as published"]
        [--root runs/nas_bench_macro]

CIFAR10 is a folder that `cifar10_images.py` reads. Neither it nor the table is ours to ship.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd
from cifar10_images import cifar10
from macro_space import NUM_CHOSEN, architecture
from truth_scores import print_agreement, scores

import nasray
from nasray.trainables.settings.training import TrainConfig

DNA: dict[str, Any] = {"method": "dna", "batch_size": 128, "lr": 0.003}
TRAINING = TrainConfig(epochs=12, batch_size=128, optimizer="adamw", lr=0.003, weight_decay=0.05)
# What differs from `DNA`.
ARMS: dict[str, dict[str, Any]] = {
    "default": {},
    "as published": {"adapters": "needed", "zero_init_residual": False},
    "default start": {"zero_init_residual": False},
    "adapters where needed": {"adapters": "needed"},
    "fair paths": {"paths": "fair"},
}


def main() -> None:
    """Search every arm with every seed and print what the published table says of it."""
    arguments = _arguments()
    truth = _published(arguments.table)
    arms = arguments.arms.split(",") if arguments.arms else list(ARMS)
    print_agreement(
        truth,
        (
            (arm, [scores(truth.index, _search(arm, seed, arguments)) for seed in range(arguments.seeds)])
            for arm in arms
        ),
    )


def _published(table: Path) -> pd.DataFrame:
    """A row per architecture: accuracies, their mean, costs, and depth, the layers that are not the identity."""
    rows = []
    for name, figures in json.loads(table.read_text(encoding="utf-8")).items():
        accuracies = [accuracy / 100 for accuracy in figures["test_acc"]]
        rows.append(
            {
                "architecture": str(architecture(name)),
                "accuracies": accuracies,
                "accuracy": sum(accuracies) / len(accuracies),
                "num_params": figures["params"],
                "num_macs": figures["flops"],
                "depth": NUM_CHOSEN - name.count("0"),
            }
        )
    return pd.DataFrame(rows).set_index("architecture")


def _search(arm: str, seed: int, arguments: argparse.Namespace) -> Path:
    """The folder of a search, which is not run again where it is done; the arms of a seed share one teacher."""
    first = Path(arguments.root).absolute() / f"teacher_{seed}"
    config = {
        "seed": seed,
        "data": cifar10(arguments.images)
        | {
            "image_size": arguments.image_size,
            "num_train_images": arguments.images_used,
            "num_held_out_images": 2000,
        },
        "search_space": {"source": "macro_space:macro_space"},
        "features": {"mode": "cached"},
        "searches": [DNA],
        "retrain": None,
        "storage": {"root": arguments.root},
        "resources": {"address": "local"},
    }
    teacher = {"source": "largest", "train": TRAINING.model_dump(mode="json")}
    alone = {"name": first.name, "teacher": teacher, "compute": {"num_threads": 2}}
    nasray.search(config | alone, stages=["teacher"])
    trained = {"source": "largest", "weights": str(first / "teacher" / "weights.safetensors")}
    own = {"name": f"{arm.replace(' ', '_')}_{seed}", "teacher": trained}
    settings = DNA | {"epochs": arguments.epochs} | ARMS[arm]
    return nasray.search(config | own | {"searches": [settings]}).folder


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, required=True, help="folder of CIFAR-10's images")
    parser.add_argument("--table", type=Path, required=True, help="the authors' nas-bench-macro_cifar10.json")
    parser.add_argument("--seeds", type=int, default=1, help="searches per arm")
    parser.add_argument("--images-used", type=int, default=10_000, help="training images")
    parser.add_argument("--image-size", type=int, default=32, help="pixels; the truth is of 32")
    parser.add_argument("--epochs", type=int, default=10, help="of each block")
    parser.add_argument("--arms", help=f"of {', '.join(ARMS)}, separated by commas (default: all)")
    parser.add_argument("--root", default="runs/nas_bench_macro", help="folder of the searches' runs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
