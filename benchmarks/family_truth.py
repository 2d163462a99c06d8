"""How far do the arms of a comparison agree with the accuracies of all 343 networks of their space?

The comparison (`configs/family_study.yaml`) judges its arms by networks that it trains itself. Its space, images and
training are those of `truth_space.py`, so that `truth.csv` tells the same of all networks, within the budgets and
without them. Printed is the comparison's own table with these accuracies; searches that are not done yet are left out.

    nasray search family_study
    python benchmarks/family_truth.py [RUN]
"""

import argparse
from pathlib import Path

import pandas as pd
from rich.console import Console
from truth_scores import small_truth

from nasray.analysis.studies.comparison import ARM, GAIN, SPACE
from nasray.comparison.arms import arm_runs
from nasray.comparison.scores import trivial_raters
from nasray.comparison.table import run_find, run_rater, trivial_find, with_scores
from nasray.evidence.networks import GROUP, SAMPLE
from nasray.inputs.shared import unit_inputs
from nasray.run.folder import RunFolder
from nasray.search_spaces.artefacts.columns import ARCHITECTURE
from nasray.search_spaces.chain.space import SearchSpace
from nasray.views.comparison import print_comparison


def main() -> None:
    """Print what the truth says of a comparison's arms."""
    folder = RunFolder(_arguments().run.absolute())
    config = folder.read_config()
    inputs = unit_inputs(config, folder)
    assert isinstance(inputs.space, SearchSpace)
    runs = [run for run in arm_runs(config) if _is_done(folder.path / run.name)]
    folders = [RunFolder(folder.path / run.name) for run in runs]
    raters = [run_rater(run, place, inputs) for run, place in zip(runs, folders, strict=True)]
    trivial = trivial_raters(inputs.space)
    truth = small_truth().reset_index().assign(**{GROUP: SAMPLE, SPACE: config.search_space.source})
    networks = with_scores(truth, [*(rater for rater in raters if rater is not None), *trivial], ())
    console = Console(highlight=False, markup=False, width=110)
    for budgets in (config.budgets, {}):
        found = [run_find(*of_run, budgets) for of_run in zip(runs, folders, raters, strict=True)]
        found += [trivial_find(rater, config.search_space.source, budgets) for rater in trivial]
        table = pd.DataFrame(found).merge(
            truth[[ARCHITECTURE, "accuracy", "num_params", "num_macs"]], "left", ARCHITECTURE
        )
        first = table[table[ARM] == table[ARM][0]].set_index("seed")["accuracy"]
        table[GAIN] = table["accuracy"] - first.reindex(table["seed"]).to_numpy()
        kept = networks
        for name, limit in budgets.items():
            kept = kept[kept[name] <= limit]
        print_comparison(table, kept, console)


def _is_done(folder: Path) -> bool:
    """Whether a search has ended."""
    return any((folder / name).is_file() for name in ("ranking.json", "found.parquet", "generations.json"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "run", type=Path, nargs="?", default=Path("runs/family_study"), help="the comparison's folder"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
