"""Training architectures by name, after a search."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from nasray.config_file import load_config
from nasray.evidence.evidence import Evidence, gather_evidence
from nasray.execution import Execution
from nasray.experiment import rank_again
from nasray.found import read_found
from nasray.plan import unit_inputs
from nasray.run_folder import RunFolder
from nasray.tracking import Tracker


def retrain(
    run: Path, architectures: Sequence[str], overrides: Sequence[str] = (), *, console: Console | None = None
) -> Evidence:
    """Train architectures of a finished run for real, and add them to its evidence.

    They are trained in the way of the run's section `retrain`, or as the overrides change it: then all networks of the
    evidence are.

    Args:
        run: The run's folder.
        architectures: IDs or genotypes.
        overrides: Changes to the config, as "a.b=value"; only what does not change the search.
        console: Where to show what runs; None: nowhere.

    Raises:
        ValueError: The folder is no run's, an architecture is not of its space, or a change would change the search.
        SearchFailedError: Trainings failed.
    """
    folder = RunFolder(run.absolute())
    folder.read_config()  # tells what is no run
    config = load_config(folder.config, overrides)
    folder.check(config)
    if config.retrain is None:
        raise ValueError(f"retrain must be given in the config of {run}, got null: add retrain.top=0, say")
    inputs = unit_inputs(config, folder)
    for architecture in architectures:
        inputs.space.cost(architecture)
    with (
        folder.locked(),
        Execution(config, folder, Tracker(config, folder), console or Console(quiet=True)) as execution,
    ):
        ranking = rank_again(config, folder) if config.dna is not None else None
        found = read_found(folder)
        return gather_evidence(config, folder, inputs, ranking, found, execution, architectures)
