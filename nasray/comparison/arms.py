"""The searches of a comparison: every arm in every space with every seed."""

from collections.abc import Iterator
from dataclasses import dataclass

from nasray.errors import UserError
from nasray.methods.method import Method, methods_of
from nasray.methods.nested import nested_config
from nasray.settings.comparison import arm_settings
from nasray.settings.experiment import ExperimentConfig
from nasray.trainables.settings.method import MethodSettings


@dataclass(frozen=True, slots=True)
class ArmRun:
    """One search of a comparison.

    Attributes:
        space: The name of its space.
        arm: The name of its arm.
        seed: Its seed.
        config: Its config, as it was loaded.
    """

    space: str
    arm: str
    seed: int
    config: ExperimentConfig

    @property
    def name(self) -> str:
        """The name of its folder, below the comparison's."""
        return self.config.name

    @property
    def speaks(self) -> tuple[MethodSettings, Method]:
        """The search that tells what the run found: the one that ranks, or else the first that finds."""
        searches = methods_of(self.config)
        ranking = [pair for pair in searches if pair[1].declaration.ranks]
        return (ranking or [pair for pair in searches if pair[1].declaration.finds])[0]


def arm_runs(config: ExperimentConfig) -> Iterator[ArmRun]:
    """The searches of a comparison, seed by seed, so that all arms have one before the next.

    Raises:
        UserError: An arm is no config of a search that finds or ranks architectures.
    """
    comparison = config.comparison
    assert comparison is not None
    whole = config.model_dump(mode="json")
    for seed in comparison.seeds:
        for space in comparison.spaces or (None,):
            for arm in comparison.arms:
                name = f"{arm}_seed_{seed}" if space is None else f"{space}.{arm}_seed_{seed}"
                tags = {"comparison": config.name, "arm": arm}
                own = nested_config(config, arm_settings(whole, arm, space=space, seed=seed), name, tags)
                run = ArmRun(space or config.search_space.source, arm, seed, own)
                if not any(one.ranks or one.finds for _, one in own.declared):
                    raise UserError(
                        f"comparison.arms.{arm} must have a search that ranks all architectures or finds one, got "
                        f"{', '.join(search.method for search in own.searches)}"
                    )
                yield run
