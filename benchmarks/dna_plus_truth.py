"""Does a later generation of DNA+ order networks better than the first?

In the space of `truth_space.py`, all of whose 343 networks were trained (`truth.csv`). Per seed one search in
generations, from its first teacher, the space's largest network, on. Printed are means over the seeds, with their
standard errors: the teacher's accuracy, Kendall's tau between scores and true accuracies over all networks, over pairs
of equal depth and over pairs of MACs within 10%, for the ratings and for those inside the teacher; what the first place
loses to the best, in true accuracy; and at the end, seed by seed, how much more or less the last generation's tau is
than the first's.

    python benchmarks/dna_plus_truth.py [--seeds 3] [--generations 2] [--power 1] [--root runs/dna_plus_truth]
    python benchmarks/dna_plus_truth.py --study runs/family_study

The second line takes the searches of a family study (`configs/family_study.yaml`), which are within its budget.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ranking_truth import DNA
from truth_scores import MEASURES, SCORES, scores, small_truth, standard_error
from truth_space import DATA, TRAINING

import nasray
from nasray import analysis
from nasray.analysis.trust.agreement import agreement

TEACHER = "teacher"
REGRET = "regret of 1"


def main() -> None:
    """Search with every seed and print what the truth says of each generation."""
    arguments = _arguments()
    truth = small_truth()
    rows = [
        {"seed": seed, "generation": number, "predictor": predictor, **figures}
        for seed in range(arguments.seeds)
        for number, run in enumerate(_generations(seed, arguments), start=1)
        for predictor, figures in _figures(run, truth).items()
    ]
    table = pd.DataFrame(rows)
    columns = [TEACHER, *MEASURES, REGRET]
    print(f"{'generation':<12}{'predictor':<16}" + "".join(f"{name:>27}" for name in columns))
    for (number, predictor), own in table.groupby(["generation", "predictor"]):
        cells = (f"{own[name].mean():.4f} ± {standard_error(own[name].tolist()):.4f}" for name in columns)
        print(f"{number:<12}{predictor:<16}" + "".join(f"{cell:>27}" for cell in cells))
    _print_gains(table)


def _print_gains(table: pd.DataFrame) -> None:
    """Print the paired differences in tau between the last generation and the first."""
    for predictor, own in table.groupby("predictor"):
        taus = own.pivot_table(index="seed", columns="generation", values=MEASURES[0])
        gains = (taus.iloc[:, -1] - taus.iloc[:, 0]).tolist()
        each = ", ".join(f"{gain:+.3f}" for gain in gains)
        print(
            f"tau of {predictor}, last generation less first: {np.mean(gains):+.3f} "
            f"± {standard_error(gains):.3f} ({each})"
        )


def _generations(seed: int, arguments: argparse.Namespace) -> list[Path]:
    """The folders of a search's generations."""
    folder = arguments.study / f"dna_plus_seed_{seed}" if arguments.study else _search(seed, arguments)
    return [run.path for run in analysis.load_run(folder).parts]


def _search(seed: int, arguments: argparse.Namespace) -> Path:
    """The folder of a search, which is not run again where it is done."""
    train = TRAINING.model_dump(mode="json")
    settings = {
        "method": "dna_plus",
        "generations": arguments.generations,
        "margin": 0.0,
        "scaling": {"power": arguments.power},
    }
    config = {
        "name": f"power_{arguments.power:g}_seed_{seed}",
        "seed": seed,
        "data": DATA.model_dump(mode="json", exclude_none=True),
        "teacher": {"source": "largest", "train": train},
        "search_space": {"source": "truth_space:truth_space"},
        "features": {"mode": "cached"},
        "searches": [DNA | settings],
        "retrain": {"top": 1, "sample": 0, "stitched": False, "train": train, "distillation": {}},
        "storage": {"root": arguments.root},
    }
    return nasray.search(config).folder


def _figures(run: Path, truth: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Per predictor, what the truth says of a generation."""
    predictions = truth.join(scores(truth.index, run))
    found = agreement(predictions.reset_index(), num_resamples=1)["predictors"]
    description = analysis.load_run(run).teacher
    assert description is not None
    return {
        name: {
            TEACHER: description["held_out_accuracy"],
            **{measure: found[name][measure]["value"] for measure in MEASURES},
            REGRET: found[name]["regret"]["1"],
        }
        for name in SCORES.values()
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", type=Path, help="a family study's folder, whose searches to take")
    parser.add_argument("--seeds", type=int, default=3, help="searches")
    parser.add_argument("--generations", type=int, default=2, help="of each search, at most")
    parser.add_argument("--power", type=float, default=1.0, help="how often teachers are scaled")
    parser.add_argument("--root", default="runs/dna_plus_truth", help="folder of the searches' runs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
