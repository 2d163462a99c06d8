"""The settings of a DNA search: how blocks are distilled and how their candidates are rated."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from nasray.errors import UserError
from nasray.trainables.settings.method import MethodSettings
from nasray.trainables.settings.metrics import METRICS, RELATIVE_L1, check_metric


class RatingConfig(BaseModel):
    """How the candidates of a trained block are rated.

    Attributes:
        metric: What is measured between a candidate's output and the teacher's, lower is better: "relative_l1", "mse"
            or "noise_to_signal", see `metrics.py`; or "module:function", a function (output, target, scale) that gives
            one finite number for the two of a held-out batch, [B, C, H, W] or [B, N, C], and the `TargetScale` of all.
        num_batches: Into how many held-out batches the held-out images are cut; one rating is kept for each.
        rated_batches: On how many of these all candidates are rated, at least 2, so that there is an error of the
            ratings; the others are for those that matter, by `nasray refine`. Each batch then takes its images from
            all over the held-out ones. None: on all.
        calibration_images: Training images on which batch-norm statistics are re-estimated per candidate.
        calibration_batch_size: Batch size of that re-estimation.
        images_per_pass: Held-out images whose activations are in memory at once; more images take more passes,
            each with a calibration of its own.
        swap_in_images: On how many held-out images candidates are also rated inside the teacher, see `swap_in.py`:
            evenly from all batches, at least one of each. The teacher's later blocks run on them for every candidate;
            0: no such rating.
        max_candidates_per_unit: A cell with more candidates is rated by several units, cut by first layer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: Annotated[str, AfterValidator(check_metric)] = Field(default=RELATIVE_L1, examples=list(METRICS))
    num_batches: int = Field(default=10, ge=1)
    rated_batches: int | None = Field(default=None, ge=2)
    calibration_images: int = Field(default=512, ge=2)
    calibration_batch_size: int = Field(default=128, ge=2)
    images_per_pass: int = Field(default=1024, ge=1)
    swap_in_images: int = Field(default=512, ge=0)
    max_candidates_per_unit: int = Field(default=2000, ge=1)

    @model_validator(mode="after")
    def _no_more_than_there_are(self) -> Self:
        if self.rated_batches is not None and self.rated_batches > self.num_batches:
            raise UserError(
                f"rated_batches must be at most num_batches, {self.num_batches}, got {self.rated_batches}"
            )
        return self

    @property
    def num_first_batches(self) -> int:
        """How many held-out batches all candidates are rated on."""
        return self.num_batches if self.rated_batches is None else self.rated_batches

    @property
    def swap_in_images_per_batch(self) -> int:
        """Images of each held-out batch on which candidates are rated inside the teacher."""
        return -(-self.swap_in_images // self.num_batches)


class BlockSearchConfig(MethodSettings):
    """What searches that train each block's supernets for themselves have in common.

    Attributes:
        lr: Adam's learning rate, one for all blocks or one per block; multiplied by `lr_decay` every epoch.
        weight_decay: Not applied to parameters of one dimension (norms and biases).
        paths: One path is trained per step. "uniform" draws each independently; "fair" draws rounds in which each
            operation of a layer comes once (FairNAS, Chu et al., arXiv 1907.01845; there the gradients of a round
            are summed into one update, here each path is an update).
        zero_init_residual: Branches beside a shortcut start at zero (their last batch norm has weight 0).
        num_seeds: How many supernets of each cell are trained, with other initial weights and paths, on the same images
            in the same order. A rating is the mean over them, and its standard error tells how they differ. Whatever
            takes weights from a supernet takes the first one's.
        num_evaluation_paths: Sampled paths that are measured on held-out images after every epoch.
    """

    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=64, ge=2)
    lr: float | tuple[float, ...] = 0.005
    lr_decay: float = Field(default=0.9, gt=0, le=1)
    weight_decay: float = Field(default=1e-4, ge=0)
    paths: Literal["uniform", "fair"] = "uniform"
    zero_init_residual: bool = True
    num_seeds: int = Field(default=1, ge=1)
    num_evaluation_paths: int = Field(default=4, ge=1)
    rating: RatingConfig = RatingConfig()

    @field_validator("lr")
    @classmethod
    def _positive(cls, value: float | tuple[float, ...]) -> float | tuple[float, ...]:
        rates = value if isinstance(value, tuple) else (value,)
        if not rates or not all(0 < rate < float("inf") for rate in rates):
            raise UserError(f"must be finite and greater than 0, got {value}")
        return value

    def lr_of_block(self, block: int) -> float:
        """The learning rate of a block (from 0) in its first epoch."""
        return self.lr[block] if isinstance(self.lr, tuple) else self.lr


class BlockDistillationConfig(BlockSearchConfig):
    """How each block's supernets are distilled from the teacher's block.

    The defaults are those of the released code of DNA (Li et al., CVPR 2020, arXiv 1911.13053) but for
    `zero_init_residual`, which we measured to order candidates far better (see the README), and `lr`, which the
    released code gives per block for its own teacher.

    Attributes:
        loss: "mse" is the plain mean squared error of the released code; "normalized_mse" divides each channel's by
            the variance of the teacher's channel in the batch.
        adapters: "always" puts a 1x1 convolution before and behind every cell, "needed" only where its widths differ
            from the teacher's. Without one, a candidate whose last operation ends in an activation cannot give the
            teacher's negative values, and is rated worse than what it is worth in a network (see the README).
    """

    method: Literal["dna"] = "dna"
    loss: Literal["mse", "normalized_mse"] = "mse"
    adapters: Literal["always", "needed"] = "always"
