"""Does it change the ranking that features are kept instead of computed in every step, and what does it save?

The digits with augmented images. Online, the teacher sees a fresh copy of an image in every epoch; kept are its
features of some copies, made once. All ways share seed and teacher. Printed are, per way, the seconds of features and
ratings, and Kendall's tau of random architectures' scores with those of the first way; the first line has that of the
same way from other initial weights, since ranks depend on these, too.

    python benchmarks/kept_features.py [--root runs/kept_features]
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import kendalltau
from verdicts import Verdict, tell

import nasray
from nasray import analysis
from nasray.cluster.cluster import ray_cluster
from nasray.settings.experiment import ResourcesConfig
from nasray.settings.loading import load_config

SETTINGS = [
    "resources.address=local",
    "retrain=null",
    "data.augment.crop_padding=1",
    "searches.0.epochs=10",
    "teacher.train.epochs=15",
]
ONLINE = "online, a fresh copy an epoch"
WAYS = {
    ONLINE: ["features.mode=online", "searches.0.num_seeds=2"],
    "one copy kept": ["features.mode=cached", "features.views=1"],
    "four copies kept": ["features.mode=cached", "features.views=4"],
    "four in bfloat16": ["features.mode=cached", "features.views=4", "features.dtype=bfloat16"],
}
NUM_ARCHITECTURES = 2000


def main() -> None:
    """Print a row per way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=Path("runs/kept_features"))
    arguments = parser.parse_args()
    with ray_cluster(ResourcesConfig(address="local")):
        compare(arguments.root)


def compare(root: Path) -> None:
    """Search in every way, and print a row each."""
    taken, scores = {}, {}
    for way, changes in WAYS.items():
        seconds, tables = search(changes, root)
        if way == ONLINE:
            taken[way], other = seconds / 2, scores_of([table["rating_seeds"].str[1] for table in tables])
            scores[way] = scores_of([table["rating_seeds"].str[0] for table in tables])
        else:
            taken[way], other = seconds, scores_of([table["rating"] for table in tables])
        tau = kendalltau(scores[ONLINE], other).statistic
        print(f"{way:30}{taken[way]:>8.1f} s{tau:>8.3f}", flush=True)
        if way != ONLINE:
            times = (f"{taken[way]:.0f} s", f"{taken[ONLINE]:.0f} s", taken[way] / taken[ONLINE])
            tell(Verdict(f"{way}: time of the ratings, tau {tau:.2f}", *times))


def search(changes: Sequence[str], root: Path) -> tuple[float, list[pd.DataFrame]]:
    """The seconds of the features and ratings of a search, and its tables."""
    name = f"name=way_{len(list(root.glob('way_*')))}"
    config = load_config("digits", [f"storage.root={root.absolute()}", name, *SETTINGS, *changes])
    plain = config.model_dump(mode="json")
    nasray.search(plain, stages=["teacher"])
    start = time.monotonic()
    nasray.search(plain, stages=["ratings"])
    seconds = time.monotonic() - start
    tables = analysis.load_run(root / config.name).tables
    assert tables is not None
    return seconds, tables


def scores_of(ratings: Sequence[pd.Series]) -> np.ndarray:
    """The scores of architectures of one random candidate a block, always the same ones."""
    rng = np.random.default_rng(0)
    return sum(
        of_block.to_numpy()[rng.integers(len(of_block), size=NUM_ARCHITECTURES)] for of_block in ratings
    )


if __name__ == "__main__":
    main()
