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

import numpy as np
import pandas as pd
from truth_space import DATA, TABLE, TRAINING

import nasray
from analysis.agreement import agreement
from analysis.ratings import load_ratings
from analysis.sums import sum_columns
from nasray.evidence.plan import stitch_spec
from nasray.plan import unit_inputs
from nasray.run_folder import RunFolder
from search_spaces.architecture import Architecture
from trainables.block_distillation.stitch import read_stitched
from trainables.units import run_unit

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
SCORES = {"rating": "score", "swap_in": "swap_in_score"}
BASELINES = {"num_macs", "num_params", "depth", "random"}
STITCHED = {"default"}  # the arms of which all networks are stitched, a minute each
MEASURES = ("kendall_tau", "kendall_tau_matched_depth", "kendall_tau_matched_macs")


def main() -> None:
    """Search every arm with every seed and print what the truth says of it."""
    arguments = _arguments()
    truth = _truth()
    figures: dict[str, list[dict[str, Any]]] = {}
    for arm in arguments.arms.split(",") if arguments.arms else ARMS:
        for seed in range(arguments.seeds):
            run = _search(arm, seed, arguments.root)
            predictions = truth.join(_scores(truth.index, load_ratings(run)))
            if arm in STITCHED:
                predictions = predictions.join(_stitch(run, tuple(truth.index)))
            found = agreement(predictions.reset_index(), num_resamples=1)
            for predictor in found["predictors"].keys() - BASELINES:
                figures.setdefault(f"{arm}, {predictor}", []).append(found["predictors"][predictor])
    print(f"{'':<38}{'tau':>14}{'equal depth':>14}{'alike MACs':>14}{'regret of 1':>16}")
    for name, rows in sorted(figures.items()):
        _print_row(name, rows)
    for name in sorted(BASELINES):
        _print_row(name, [found["predictors"][name]])
    print(f"one training seed against the other: {found['noise_ceiling']['kendall_tau']['value']:.3f}")


def _truth() -> pd.DataFrame:
    """A row per architecture: accuracies, their mean, costs and depth."""
    rows = pd.read_csv(TABLE)
    truth = rows.groupby("architecture").agg(
        accuracies=("accuracy", list), num_params=("num_params", "first"), num_macs=("num_macs", "first")
    )
    truth = truth[truth["accuracies"].map(len) == truth["accuracies"].map(len).max()]
    truth["accuracy"] = truth["accuracies"].map(np.mean)
    parsed = truth.index.map(Architecture.parse)
    truth["depth"] = [sum(c.depth for c in architecture.candidates) for architecture in parsed]
    return truth


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


def _scores(architectures: pd.Index, ratings: list[pd.DataFrame]) -> pd.DataFrame:
    sums = [sum_columns(name, ratings, list(SCORES)) for name in architectures]
    return pd.DataFrame(sums, index=architectures).rename(columns=SCORES)


def _print_row(name: str, rows: list[dict[str, Any]]) -> None:
    columns = [[row[measure]["value"] for row in rows] for measure in MEASURES]
    columns.append([row["regret"]["1"] for row in rows])
    cells = (f"{np.mean(values):.3f} ± {_error(values):.3f}" for values in columns)
    print(f"{name:<38}" + "".join(f"{cell:>14}" for cell in cells))


def _error(values: list[float]) -> float:
    """The standard error of the mean, 0 of a single value."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


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
