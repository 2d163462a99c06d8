"""DNA and DNA++ as methods: each cell of each block is a supernet that learns for itself and rates its candidates."""

from collections.abc import Mapping
from pathlib import Path

from nasray.inputs.fit import check_per_block
from nasray.methods.block_wise import declarations
from nasray.methods.block_wise.cost import search_macs
from nasray.methods.block_wise.declarations import RATINGS, num_rated_views
from nasray.methods.block_wise.plan import cell_targets, num_rows, rating_units
from nasray.methods.method import Method
from nasray.run.folder import RunFolder
from nasray.scheduling.unit import Unit
from nasray.settings.experiment import ExperimentConfig
from nasray.settings.methods import Declaration
from nasray.trainables.block_wise.block_data import check_num_batches
from nasray.trainables.block_wise.metrics import try_metric
from nasray.trainables.block_wise.units.cell_target import CellTarget
from nasray.trainables.cutting.cutting import CutTeacher
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.settings.block_wise import BlockWiseConfig


class BlockWise(Method):
    """A block-wise search."""

    def __init__(self, declaration: Declaration) -> None:
        self.declaration = declaration  # type: ignore[misc]

    def adjusted(self, search: BlockWiseConfig, config: ExperimentConfig) -> ExperimentConfig:
        """The config with as many views of held-out images as the rating compares."""
        features = config.features.model_copy(update={"held_out_views": num_rated_views(search)})
        return config.model_copy(update={"features": features})

    def check(self, search: BlockWiseConfig, config: ExperimentConfig, inputs: SearchInputs) -> None:
        """Hold the settings to the number of blocks and of held-out images.

        Raises:
            UserError: They do not fit.
        """
        place = config.searches.index(search)
        check_per_block(f"searches.{place}.lr", search.lr, len(inputs.space.blocks))
        check_num_batches(search.rating.num_batches, inputs.summary.num_held_out)

    def check_teacher(self, search: BlockWiseConfig, config: ExperimentConfig, teacher: CutTeacher) -> None:
        """Try the metric on noise of the shapes of the teacher's features.

        Raises:
            UserError: It does not give numbers.
        """
        try_metric(search.rating.metric, teacher.feature_shapes[1:])

    def num_passes(self, search: BlockWiseConfig) -> int:
        """Each epoch reads the features once."""
        return search.epochs

    def units(
        self, search: BlockWiseConfig, folder: RunFolder, inputs: SearchInputs
    ) -> Mapping[str, list[Unit]]:
        """Training and rating of every cell of every block."""
        return {RATINGS: list(rating_units(search, folder, inputs))}

    def tables(self, search: BlockWiseConfig, folder: RunFolder, inputs: SearchInputs) -> Mapping[Path, int]:
        """A table per cell."""
        return {target.table: num_rows(inputs, target) for target in cell_targets(search, folder, inputs)}

    def cells(
        self, search: BlockWiseConfig, folder: RunFolder, inputs: SearchInputs
    ) -> tuple[CellTarget, ...]:
        """Every cell of every block with its first supernet, and where its results lie."""
        return tuple(cell_targets(search, folder, inputs))

    def work(
        self, search: BlockWiseConfig, config: ExperimentConfig, folder: RunFolder, inputs: SearchInputs
    ) -> Mapping[str, float]:
        """See `search_macs`."""
        return search_macs(search, config, folder, inputs)


DNA, DNA_PLUS_PLUS = BlockWise(declarations.DNA), BlockWise(declarations.DNA_PLUS_PLUS)
