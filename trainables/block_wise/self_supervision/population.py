"""Rating candidates without a teacher: how far is what one says of an image from what all of them say of it?

Source: BossNAS (Li et al., ICCV 2021, arXiv 2103.12424) rates a path by its closeness to the population's centre.
Deviations [our own reading]: the centre is the mean of all candidates' projections at unit length (of `MAX_POPULATION`
drawn ones, where there are more); it is that of one augmented view of a held-out image, the prediction that of another;
the heads' batch norms use the statistics of the batch, since their running ones mix all paths.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from nasray.trainables.block_wise.block_data import BlockData, Pair
from nasray.trainables.block_wise.rate import Rater, Rating
from nasray.trainables.block_wise.self_supervision.heads import Heads
from nasray.trainables.block_wise.supernet import CellSupernet, Path
from nasray.trainables.core.batch_norm import with_batch_statistics
from nasray.trainables.settings.self_supervision import SelfSupervisionConfig

MAX_POPULATION = 512


class PopulationRater(Rater):
    """Rates a candidate per held-out batch by the mean squared distance, 0 to 4, of its prediction from the centre."""

    def __init__(
        self,
        supernet: CellSupernet,
        heads: Heads,
        data: BlockData,
        config: SelfSupervisionConfig,
        rng: np.random.Generator,
    ) -> None:
        super().__init__(supernet, data, config.rating)
        self._heads = with_batch_statistics(heads)
        self._rated_views = config.rated_views
        self._population = self._draw(supernet, rng)

    def _expect(self, calibration: Sequence[Tensor], batches: Sequence[Pair]) -> list[Tensor]:
        """The centre for the other view of each image, [B, D] per batch."""
        found = self.walk.outputs(self._population, calibration, [other for _, other in batches])
        sums: list[Tensor] = []
        count = 0
        for outputs in (output.batches for output in found if output.batches is not None):
            projections = [F.normalize(self._heads.project(maps).double(), dim=1) for maps in outputs]
            sums = (
                [total + one for total, one in zip(sums, projections, strict=True)] if sums else projections
            )
            count += 1
        if not count:
            raise FloatingPointError(
                "no candidate of the cell gives a finite output: lower the learning rate"
            )
        return [total / count for total in sums]

    def _judge(self, path: Path, outputs: Sequence[Tensor], expected: list[Tensor]) -> Rating:
        predictions = [self._heads.predictor(self._heads.project(maps)).double() for maps in outputs]
        distances = (
            (F.normalize(predicted, dim=1) - centre).square().sum(dim=1).mean()
            for predicted, centre in zip(predictions, expected, strict=True)
        )
        return Rating(path, tuple(map(float, distances)))

    def _held_out(self) -> list[Pair]:
        """All held-out batches, (block input of what is judged, of what the centre is taken from)."""
        if self._rated_views == "two":
            return self._data.held_out_views(self._config.num_batches, spread=self._spread)
        plain = self._data.held_out_batches(self._config.num_batches, spread=self._spread)
        return [(features, features) for features, _ in plain]

    def _draw(self, supernet: CellSupernet, rng: np.random.Generator) -> list[Path]:
        """What stands for all candidates: the subtrees that hold them, or whole paths that are drawn."""
        if len(supernet.entries) * supernet.cell.num_candidates <= MAX_POPULATION:
            return self.walk.subtrees()
        drawn = {supernet.uniform_path(rng) for _ in range(MAX_POPULATION)}
        return sorted(drawn, key=lambda path: (path.entry, path.choices))
