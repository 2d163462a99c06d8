"""What of a search its plan of units does not show yet: trainings for the evidence, and what its ranking waits for."""

from collections.abc import Iterator

from nasray.errors import UserError
from nasray.planning.resolve import check_measured
from nasray.run.folder import RunFolder
from nasray.settings.experiment import ExperimentConfig


def later_stages(config: ExperimentConfig, folder: RunFolder) -> Iterator[str]:
    """A line for each.

    Args:
        config: The search's, resolved.
        folder: The run's folder.
    """
    settings = config.retrain
    if settings is not None:
        ranked = settings.top + settings.sample if config.ranks else 0
        found = sum(declaration.finds for _, declaration in config.declared)
        number, seeds = ranked + found, len(settings.training_seeds)
        each = f", with each of {seeds} seeds" if seeds > 1 else ""
        yield f"then, for the evidence, up to {number} networks are trained for {settings.train.epochs} epochs{each}"
    try:
        check_measured(config, folder)
    except UserError as error:
        yield f"the ranking has to wait: {error}"
