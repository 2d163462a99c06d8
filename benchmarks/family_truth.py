"""How far do the methods of a family study agree with the accuracies of all 343 networks of their space?

The study (`configs/family_study.yaml`) judges its methods by networks that it trains itself. Its space, images and
training are those of `truth_space.py`, so that `truth.csv` tells the same of all networks, within the budgets and
without them. Printed is the study's own table with these accuracies; searches that are not done yet are left out.

    nasray search family_study
    python benchmarks/family_truth.py [RUN]
"""

import argparse
from pathlib import Path

from rich.console import Console
from truth_scores import small_truth

from nasray.analysis.exact.ranking import ARCHITECTURE
from nasray.evidence.networks import GROUP, SAMPLE
from nasray.family.member import Rater, member_rater, trivial_raters
from nasray.family.table import find_all, with_scores
from nasray.inputs.shared import unit_inputs
from nasray.run.folder import RunFolder
from nasray.search_spaces.chain.space import SearchSpace
from nasray.settings.experiment import ExperimentConfig
from nasray.views.family import print_family


def main() -> None:
    """Print what the truth says of a study's methods."""
    folder = RunFolder(_arguments().run.absolute())
    config = folder.read_config()
    space = unit_inputs(config, folder).space
    assert isinstance(space, SearchSpace)
    raters = [*_searches(config, folder, space), *trivial_raters(space)]
    truth = small_truth().reset_index().assign(**{GROUP: SAMPLE})
    networks = with_scores(truth, raters, ())
    console = Console(highlight=False, markup=False, width=110)
    for budgets in (config.budgets, {}):
        finds = find_all(raters, budgets).merge(
            truth[[ARCHITECTURE, "accuracy", "num_params", "num_macs"]], "left", ARCHITECTURE
        )
        kept = networks
        for name, limit in budgets.items():
            kept = kept[kept[name] <= limit]
        print_family(finds, kept, console)


def _searches(config: ExperimentConfig, folder: RunFolder, space: SearchSpace) -> list[Rater]:
    """What the searches say that are done, in the order of the config."""
    assert config.family is not None
    found = []
    for name in config.family.members:
        for seed in config.family.seeds:
            place = folder.path / f"{name}_seed_{seed}"
            done = [
                *place.glob("ranking.json"),
                *place.glob("found.parquet"),
                *place.glob("generations.json"),
            ]
            if done:
                found.append(member_rater(name, seed, place, space))
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "run", type=Path, nargs="?", default=Path("runs/family_study"), help="the study's folder"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
