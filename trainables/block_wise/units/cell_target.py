"""The cell that a unit works on, and where what it leaves lies."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from nasray.trainables.settings.block_wise import BlockWiseConfig


class CellTarget(BaseModel):
    """The cell that a unit works on.

    Attributes:
        block: The block's number, from 0.
        cell: The cell's name.
        config: How the cell is trained and rated, which also tells the method.
        folder: Where the cell's weights go, and the parts of its table, if it has parts.
        table: Where the cell's table of ratings goes.
        training_seed: Which of its supernets, from 0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    block: int
    cell: str
    config: BlockWiseConfig = Field(discriminator="method")
    folder: Path
    table: Path
    training_seed: int = 0

    @property
    def weights(self) -> Path:
        """The trained supernet's weights."""
        return self.folder / "supernet.safetensors"

    @property
    def heads(self) -> Path:
        """The heads that were trained with the supernet, where the method has some."""
        return self.folder / "heads.safetensors"

    @property
    def own_table(self) -> Path:
        """The ratings by this supernet: the cell's table, where it is the only one."""
        return self.table if self.config.num_seeds == 1 else self.folder / "ratings.parquet"

    @property
    def seeds(self) -> "tuple[CellTarget, ...]":
        """The cell with each of its supernets, the first one's own folder around those of the others."""
        further = (
            self.model_copy(update={"folder": self.folder / f"seed_{seed}", "training_seed": seed})
            for seed in range(1, self.config.num_seeds)
        )
        return (self, *further)

    def part(self, subtree: int) -> Path:
        """The part of the table that covers one first-layer subtree."""
        return self.folder / "ratings" / f"{subtree}.parquet"
