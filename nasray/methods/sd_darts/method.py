"""SD-DARTS as a method: one unit, which finds one architecture."""

from collections.abc import Mapping, Sequence

import pandas as pd

from nasray.methods.method import Find, Method
from nasray.methods.sd_darts import declaration
from nasray.methods.sd_darts.declaration import STAGE
from nasray.methods.sd_darts.plan import check_halves, search_unit
from nasray.run.folder import RunFolder
from nasray.scheduling.unit import Unit
from nasray.search_spaces.artefacts.columns import CANDIDATE, RATING
from nasray.search_spaces.chain.space import SearchSpace
from nasray.settings.experiment import ExperimentConfig
from nasray.trainables.core.trainable import read_done
from nasray.trainables.inputs import UnitInputs
from nasray.trainables.sd_darts.sharpness.measurement import (
    DISCRETIZED_ACCURACY,
    EIGENVALUE,
    GAP,
    NOISE_SLOPE,
    SUPERNET_ACCURACY,
)
from nasray.trainables.sd_darts.supernets.chain_supernet import shortfalls
from nasray.trainables.sd_darts.trainable import Found
from nasray.trainables.settings.sd_darts import SdDartsConfig

_MEASURED = (
    "num_skips",
    EIGENVALUE,
    NOISE_SLOPE,
    GAP,
    SUPERNET_ACCURACY,
    DISCRETIZED_ACCURACY,
    "alpha_entropy",
)


class SdDarts(Method):
    """The differentiable search."""

    declaration = declaration.SD_DARTS

    def check(self, search: SdDartsConfig, config: ExperimentConfig, inputs: UnitInputs) -> None:
        """Hold the space and the batches to the images; see `check_halves`."""
        check_halves(search, inputs)

    def units(self, search: SdDartsConfig, folder: RunFolder, inputs: UnitInputs) -> Mapping[str, list[Unit]]:
        """The one search."""
        return {STAGE: [search_unit(search, folder, inputs)]}

    def found(self, folder: RunFolder) -> Find:
        """What its alphas stood for after the epoch that was chosen."""
        found = Found.read(folder.unit(STAGE))
        return Find(found.architecture, found.num_params, found.num_macs, found.epoch)

    def scores(
        self, config: ExperimentConfig, folder: RunFolder, inputs: UnitInputs
    ) -> Sequence[pd.DataFrame] | None:
        """How far each candidate's weights fall short of the strongest ones; None in a space of cells.

        Our reading of the alphas, which name no architecture but one: a choice is as bad as the logarithm of its weight
        falls short of that of the strongest at its place, so that what the search found has the score 0, the best of
        all, and within budgets there is a best one, too.
        """
        if not isinstance(inputs.space, SearchSpace):
            return None
        found = shortfalls(inputs.space, Found.read(folder.unit(STAGE)).weights)
        return [
            table.assign(**{RATING: table[CANDIDATE].map(of_block)})
            for table, of_block in zip(inputs.space.candidate_tables(), found, strict=True)
        ]

    def figures(self, folder: RunFolder) -> Mapping[str, float]:
        """What was measured of the supernet in the epoch whose architecture was chosen, and `seconds` of the search."""
        found, done = Found.read(folder.unit(STAGE)), read_done(folder.unit(STAGE))
        assert done is not None
        history = done["history"]
        last = {name: value for metrics in history[: found.epoch] for name, value in metrics.items()}
        measured = {name: float(last[name]) for name in _MEASURED if last.get(name) is not None}
        return measured | {"seconds": float(sum(metrics["seconds"] for metrics in history))}


SD_DARTS = SdDarts()
