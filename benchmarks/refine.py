"""What does `nasray refine` save, and does it find the same best architectures?

The digits' space, 23,868 architectures of 102 candidates, each searched with several seeds; 480 held-out images in 16
batches, on all of which all candidates are rated. Then as if only the first batches had been rated: what refining rates
further is taken from the full tables, round by round. Printed for each number of first batches and of best
architectures, over the seeds: the share of candidates that is rated further, the rounds, the images that operations are
evaluated on in all (the prefix tree's nodes times held-out and calibration images) as a share of rating all on all, how
many of the best are those of the full ratings, before and after, and whether all are and the first one is.

    python benchmarks/refine.py [--seeds 3] [--root runs/refine]
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import nasray
from nasray.analysis.exact.ranking import top_architectures
from nasray.analysis.tables.batches import comparable
from nasray.analysis.tables.ratings import load_ratings
from nasray.commands.refine import NUM_BATCHES, rated_candidates, undecided
from nasray.search_spaces.architecture import Candidate
from nasray.search_spaces.artefacts.columns import (
    ARCHITECTURE,
    CANDIDATE,
    IN_CHANNELS,
    RATING,
    RATING_BATCHES,
    SWAP_IN,
)
from nasray.settings.loading import load_config

NUM_ALL, IMAGES, CALIBRATION = 16, 480, 128
FIRST, TOPS = (3, 4, 6, 8), (1, 10, 50)


def main() -> None:
    """Print a row per number of first batches and of best architectures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--root", default="runs/refine")
    arguments = parser.parse_args()
    runs = [_search(seed, arguments.root) for seed in range(arguments.seeds)]
    columns = (
        "first",
        "best",
        "refined",
        "rounds",
        "images",
        "same before",
        "same after",
        "all the same",
        "first is",
    )
    print("".join(f"{name:>14}" for name in columns))
    for first in FIRST:
        for top in TOPS:
            figures = np.array([_refine(run, first, top) for run in runs], float).mean(axis=0)
            print(f"{first:>14}{top:>14}" + "".join(f"{value:>14.2f}" for value in figures))


def _search(seed: int, root: str) -> Path:
    """The folder of a finished search that rated all candidates on all batches."""
    rating = {
        "num_batches": NUM_ALL,
        "rated_batches": NUM_ALL,
        "calibration_images": CALIBRATION,
        "swap_in_images": 0,
    }
    overrides = [
        f"name=seed_{seed}",
        f"seed={seed}",
        f"storage.root={root}",
        f"data.num_held_out_images={IMAGES}",
        *(f"searches.0.rating.{key}={value}" for key, value in rating.items()),
    ]
    return nasray.search("digits", overrides, stages=["ranking"]).folder


def _refine(run: Path, first: int, top: int) -> list[Any]:
    """The figures of one row, for one search."""
    config = load_config(run / "config.yaml")
    full = load_ratings(run)
    tables = [_cut(table, first) for table in full]
    best = _best(full, top)
    before = _best(tables, top)
    everything = rated_candidates(full)
    images = _images(everything, first)
    num_rounds, num_refined = 0, 0
    while len(wanted := undecided(tables, config, top, NUM_ALL)):
        num_rounds, num_refined = num_rounds + 1, num_refined + len(wanted)
        images += _images(wanted, NUM_ALL - first)
        tables = [
            _fill(*pair, wanted[wanted["block"] == block])
            for block, pair in enumerate(zip(tables, full, strict=True))
        ]
    after = _best(tables, top)
    return [
        num_refined / len(everything),
        num_rounds,
        images / _images(everything, NUM_ALL),
        len(set(before) & set(best)) / top,
        len(set(after) & set(best)) / top,
        after == best,
        after[0] == best[0],
    ]


def _best(tables: Sequence[pd.DataFrame], top: int) -> list[str]:
    return list(top_architectures(tables, None, top)[ARCHITECTURE])


def _cut(table: pd.DataFrame, number: int) -> pd.DataFrame:
    """The table as it is after rating on the first batches."""
    batches = table[RATING_BATCHES].map(lambda row: row[:number])
    return table.assign(**{RATING_BATCHES: batches, RATING: batches.map(np.mean), SWAP_IN: np.nan})


def _fill(table: pd.DataFrame, full: pd.DataFrame, wanted: pd.DataFrame) -> pd.DataFrame:
    """The table with all batches of the wanted rows."""
    names = [IN_CHANNELS, CANDIDATE]
    refined = pd.MultiIndex.from_frame(full[names]).isin(pd.MultiIndex.from_frame(wanted[names]))
    batches = table[RATING_BATCHES].where(~refined, full[RATING_BATCHES])
    return comparable(table.assign(**{RATING_BATCHES: batches, RATING: batches.map(np.mean)}))


def _images(candidates: pd.DataFrame, num_batches: int) -> int:
    """Images that operations are evaluated on when candidates are rated on so many batches, beginnings shared."""
    nodes = {
        (block, cell, width, operations[: depth + 1])
        for block, cell, width, text, _ in candidates[
            ["block", "cell", IN_CHANNELS, CANDIDATE, NUM_BATCHES]
        ].to_numpy()
        for operations in [Candidate.parse(text).operations]
        for depth in range(len(operations))
    }
    return len(nodes) * (CALIBRATION + IMAGES * num_batches // NUM_ALL)


if __name__ == "__main__":
    main()
