"""The settings of the teacher's features: cached or computed as needed, in which views and pieces."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Mode = Literal["cached", "online"]
SplitName = Literal["train", "held_out"]


class FeatureConfig(BaseModel):
    """How blocks get the teacher's features.

    Attributes:
        mode: "cached" on disk, "online" (the teacher's part runs in every step), one of these per block, or "auto": per
            block whichever is estimated to be faster; resolved before the launch.
        dtype: Type of the cached features; batches are float32 in any case.
        views: Augmented copies of each training image that the blocks learn from. 0: none, plain images. None: a fresh
            one every epoch, which only "online" gives; where the data has no augmentation, the same as 0.
        held_out_views: Augmented copies of each held-out image, beside the plain one; resolved to what the search's
            rating compares.
        shard_rows: Rows in a shard; a shard is one unit of work.
        batch_size: Images that the teacher sees at once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["auto"] | Mode | tuple[Mode, ...] = "auto"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    views: int | None = Field(default=None, ge=0)
    held_out_views: int = Field(default=0, ge=0)
    shard_rows: int = Field(default=8192, ge=1)
    batch_size: int = Field(default=256, ge=1)

    def copies(self, split: str) -> tuple[int | None, ...]:
        """What the cache holds of each image of a split: the image in these views; None: as it is."""
        if split == "train":
            return tuple(range(self.views)) if self.views else (None,)
        return (None, *range(self.held_out_views))

    def shown_view(self, split: str, view: int | None) -> int | None:
        """The view that is shown where one is asked for: those of a fixed number begin anew; None: the plain image."""
        number = self.views if split == "train" else self.held_out_views
        if view is None or number is None:
            return view
        return view % number if number else None

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The mode of each block, once resolved."""
        assert isinstance(self.mode, tuple), f"the feature mode {self.mode} is not resolved"
        return self.mode


def num_shards(num_rows: int, config: FeatureConfig) -> int:
    """Number of shards that hold so many rows."""
    return -(-num_rows // config.shard_rows)


def boundaries_of(modes: tuple[Mode, ...]) -> tuple[int, ...]:
    """The cut points whose features the cached blocks need: before and after each; block k lies between k and k + 1."""
    return tuple(sorted({k + side for k, mode in enumerate(modes) if mode == "cached" for side in (0, 1)}))
