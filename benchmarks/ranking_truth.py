"""Do scores order networks as training them for real does?

All 343 networks of the space in `truth_space.py`, whose accuracies stand in `truth.csv` (made by `train_truth.py`).
Each arm is a DNA search of that space, from its teacher on, with several seeds. Printed are means over the seeds, with
their standard errors, of Kendall's tau between scores and accuracies: over all networks, over pairs of equal depth,
over pairs of MACs within 10%; and of the accuracy that the first place loses to the best. Beside them stand the trivial
scores, and one training seed's accuracies against the other's.

    python benchmarks/ranking_truth.py [--seeds 3] [--arms default,needed] [--root runs/ranking_truth]
"""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
from truth_scores import print_agreement, scores, small_truth
from truth_space import DATA, TRAINING

import nasray
from nasray.evidence.plan import stitch_spec
from nasray.inputs.shared import unit_inputs
from nasray.run.folder import RunFolder
from nasray.trainables.block_wise.units.stitch import read_stitched
from nasray.trainables.units import run_unit

DNA: dict[str, Any] = {"method": "dna", "epochs": 10, "batch_size": 64, "lr": 0.01}
LARGEST: dict[str, Any] = {"source": "largest", "train": TRAINING.model_dump(mode="json")}
TEACHERS = {
    "foreign teacher": LARGEST | {"source": "truth_space:foreign_teacher", "cuts": ["low", "middle", "high"]}
}
# What differs from `DNA`.
ARMS: dict[str, dict[str, Any]] = {
    "default": {},
    "adapters where needed": {"adapters": "needed"},
    "default start": {"zero_init_residual": False},
    "as published": {"adapters": "needed", "zero_init_residual": False},
    "fair paths": {"paths": "fair"},
    "3 epochs": {"epochs": 3},
    "30 epochs": {"epochs": 30},
    "normalized loss": {"loss": "normalized_mse"},
    "noise to signal": {"rating": {"metric": "noise_to_signal"}},
    "foreign teacher": {},
}
STITCHED = {"default"}  # the arms of which all networks are stitched, a minute each


def main() -> None:
    """Search every arm with every seed and print what the truth says of it."""
    arguments = _arguments()
    truth = small_truth()
    arms = arguments.arms.split(",") if arguments.arms else list(ARMS)
    print_agreement(
        truth,
        (
            (arm, [_predictions(arm, seed, arguments.root, truth.index) for seed in range(arguments.seeds)])
            for arm in arms
        ),
    )


def _predictions(arm: str, seed: int, root: str, architectures: pd.Index) -> pd.DataFrame:
    """What one search says of all networks."""
    run = _search(arm, seed, root)
    found = scores(architectures, run)
    return found.join(_stitch(run, tuple(architectures))) if arm in STITCHED else found


def _search(arm: str, seed: int, root: str) -> Path:
    """The folder of a search, which is not run again where it is done."""
    config = {
        "name": f"{arm.replace(' ', '_')}_{seed}",
        "seed": seed,
        "data": DATA.model_dump(mode="json", exclude_none=True),
        "teacher": TEACHERS.get(arm, LARGEST),
        "search_space": {"source": "truth_space:truth_space"},
        "features": {"mode": "cached"},
        "searches": [DNA | ARMS[arm]],
        "retrain": None,
        "storage": {"root": root},
    }
    return nasray.search(config).folder


def _stitch(run: Path, architectures: tuple[str, ...]) -> pd.DataFrame:
    """The accuracies of the architectures as put together from the search's trained blocks."""
    folder = RunFolder(run)
    config = folder.read_config()
    spec = stitch_spec(config, folder, unit_inputs(config, folder), architectures)
    for _ in run_unit(spec):
        pass
    return read_stitched(spec.folder).set_index("architecture")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3, help="searches per arm")
    parser.add_argument("--arms", help=f"of {', '.join(ARMS)}, separated by commas (default: all)")
    parser.add_argument("--root", default="runs/ranking_truth", help="folder of the searches' runs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
