"""The settings of a search without labels, block by block."""

from typing import Literal, Self

from pydantic import Field, model_validator

from nasray.errors import UserError
from nasray.trainables.settings.block_distillation import BlockSearchConfig, RatingConfig


class SelfSupervisionConfig(BlockSearchConfig):
    """How each block's supernets are trained to agree with their own moving averages on other views of an image.

    Source: DNA++ (Wang et al., arXiv 2403.01326) says that its search is self-supervised, with techniques that keep
    outputs of different images apart; its text is not to be had, so that the form here, after BYOL (Grill et al., arXiv
    2006.07733) and VICReg (Bardes et al., ICLR 2022, arXiv 2105.04906), is our own reading. BossNAS (Li et al., ICCV
    2021, arXiv 2103.12424) is `num_student_paths: 4, num_target_paths: 4, shared_paths: true, paths: fair,
    variance_weight: 0, momentum: 0.99`, but for its blocks, which stand behind the best paths of those before them and
    here behind the trunk. That deviation is meant: cells that wait for all ratings of the block before could not be
    trained beside each other, and a block would need a unit of its own that chooses a path, re-estimates its batch
    norms and keeps it, by ratings that are relative to each cell's own population and so do not compare its cells.

    Attributes:
        momentum: Of the moving average that the targets come from, in the first epoch; it grows to 1 along a cosine.
        num_student_paths: Paths that are trained in a step.
        num_target_paths: Paths of the moving average whose mean projection is the target.
        shared_paths: Whether these are the student's paths of that step; then there are as many.
        predictor: Whether a head of the student's own stands between its projections and the targets.
        hidden_width: Of the two heads' hidden layer.
        projection_width: Length of the vectors that are compared.
        rated_views: Of each held-out image. "two": a candidate is rated by how well its prediction for an augmented
            view gives the population's centre for another one, which is what it was trained for; the same two for all.
            "plain": both are of the unchanged image, which in a first block was seen to prefer what is typical to what
            is good (see the README).
        variance_weight: Of the term that keeps each of the projection's dimensions spread over the batch; 0: none.
    """

    method: Literal["dna_plus_plus"] = "dna_plus_plus"
    momentum: float = Field(default=0.99, ge=0, le=1)
    num_student_paths: int = Field(default=1, ge=1)
    num_target_paths: int = Field(default=4, ge=1)
    shared_paths: bool = False
    predictor: bool = True
    hidden_width: int = Field(default=256, ge=1)
    projection_width: int = Field(default=64, ge=2)
    rated_views: Literal["two", "plain"] = "two"
    variance_weight: float = Field(default=1.0, ge=0)
    rating: RatingConfig = RatingConfig(swap_in_images=0)

    @model_validator(mode="after")
    def _fits_the_method(self) -> Self:
        if self.rating.swap_in_images or self.rating.metric != RatingConfig().metric:
            raise UserError(
                "rating.metric and rating.swap_in_images must be left out, since candidates of this method are not "
                "compared with a teacher"
            )
        if self.shared_paths and self.num_student_paths != self.num_target_paths:
            raise UserError(
                "shared_paths must go with as many student paths as target paths, got "
                f"{self.num_student_paths} and {self.num_target_paths}"
            )
        return self
