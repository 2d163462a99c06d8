"""The stages of a search, from the teacher to the evidence: what each needs, and what it leaves."""

from collections.abc import Sequence

from nasray.errors import UserError
from nasray.inputs.units import FEATURES, TEACHER
from nasray.settings.experiment import ExperimentConfig

RANKING, EVIDENCE = "ranking", "evidence"


def possible_stages(config: ExperimentConfig) -> list[str]:
    """The stages that the searches of a config have, in their order."""
    stages = [TEACHER, FEATURES] if config.needs_teacher else []
    stages += [stage for _, declaration in config.declared for stage in declaration.stages]
    stages += [RANKING] if config.ranks else []
    return [*dict.fromkeys(stages), *([EVIDENCE] if config.retrain is not None else [])]


def chosen_stages(stages: Sequence[str] | None, config: ExperimentConfig) -> list[str]:
    """The stages to run; None: all that there are.

    Raises:
        UserError: One of them is not there in an experiment of this config.
    """
    possible = possible_stages(config)
    unknown = sorted(set(stages or ()) - set(possible))
    if unknown:
        raise UserError(f"stages must be of {', '.join(possible)}, got {', '.join(unknown)}")
    return possible if stages is None else list(stages)


def needed_stages(stages: Sequence[str], config: ExperimentConfig) -> set[str]:
    """The stages whose units must be done for the given ones."""
    searching = {stage for _, declaration in config.declared for stage in declaration.stages}
    rating = {stage for _, one in config.declared if one.ranks for stage in one.stages}
    needs = {RANKING: rating, EVIDENCE: {TEACHER} | searching}
    return set().union(*(needs.get(stage, {stage}) for stage in stages))
