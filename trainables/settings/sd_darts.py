"""The settings of SD-DARTS: the differentiable search, its teachers, and what is measured of it."""

from itertools import pairwise
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nasray.errors import UserError
from nasray.trainables.settings.method import MethodSettings

DEFAULT_SIGMAS = (0.02, 0.05, 0.1)
# What the teachers must be for their logits to be known from the training itself.
_CACHEABLE = {"teacher": "snapshots", "unit": "epoch", "applies_to": "weights", "norm": "batch"}
# What one kind of teacher has and the other has not.
_ONLY_OF = {"snapshots": ("num_snapshots", "every", "unit"), "ema": ("ema_decay",)}


class SelfDistillationConfig(BaseModel):
    """How the supernet learns from its own earlier self.

    Source: SD-DARTS (Zhu et al., arXiv 2302.05629), of which only the abstract is to be had: earlier supernets vote on
    the distribution that the present one is drawn to. Every choice below is our reading and an option; the defaults
    are those that found the best cells in what we measured (README).

    Attributes:
        weight: Factor lambda of the distillation term; 0 is plain DARTS, to the byte. The pull fades as the learning
            rate falls and snapshots become alike: too small a weight only delays a collapse.
        temperature: Divides all logits before their softmax; the term is multiplied by its square.
        teacher: "snapshots" of earlier supernets that vote; "ema": one supernet, the exponential moving average of all
            earlier ones.
        num_snapshots: K, the length of the queue of snapshots.
        every: A snapshot is taken after every so many of `unit`.
        unit: "epoch" or "step".
        vote: "mean_prob" averages probabilities, "mean_logit" logits; "majority" counts first choices.
        mode: "forward" evaluates the teachers on the same augmented batch; "cache" keeps, per training image, the
            logits that the supernet gave it in the snapshot's epoch, and evaluates no teacher. That costs nothing and
            is another method: its teachers saw the image in another batch, otherwise augmented, at other moments of
            their epoch. For snapshots of epochs, with the batch's norms, that teach the weights.
        norm: Statistics of the teachers' batch norms: of the "batch", or their "running" ones.
        applies_to: Whether the term is added to the loss of the "weights", of the "alpha", or of "both".
        start_epoch: The first epoch with the term, from 0; snapshots are taken before.
        ema_decay: Share of the old average that a step keeps.
        target: "vote", or "smoothed_label": the label, smoothed to the vote's mean entropy, which tells whether the
            vote does more than soften labels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(default=3.0, ge=0)
    temperature: float = Field(default=3.0, gt=0)
    teacher: Literal["snapshots", "ema"] = "snapshots"
    num_snapshots: int = Field(default=3, ge=1)
    every: int = Field(default=1, ge=1)
    unit: Literal["epoch", "step"] = "epoch"
    vote: Literal["mean_prob", "majority", "mean_logit"] = "mean_prob"
    mode: Literal["forward", "cache"] = "forward"
    norm: Literal["batch", "running"] = "batch"
    applies_to: Literal["weights", "alpha", "both"] = "weights"
    start_epoch: int = Field(default=3, ge=0)
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    target: Literal["vote", "smoothed_label"] = "vote"

    @model_validator(mode="after")
    def _cache_holds_what_is_needed(self) -> Self:
        for key, needed in _CACHEABLE.items():
            if self.mode == "cache" and getattr(self, key) != needed:
                raise UserError(
                    f"mode: cache keeps the logits of whole epochs of training, so that {key} must be {needed}, got "
                    f"{getattr(self, key)}; or set mode: forward"
                )
        return self

    @model_validator(mode="after")
    def _is_of_its_teacher(self) -> Self:
        for teacher, keys in _ONLY_OF.items():
            for key in keys:
                if self.teacher != teacher and getattr(self, key) != type(self).model_fields[key].default:
                    raise UserError(
                        f"{key} is of teacher: {teacher}, but teacher is {self.teacher}, which has none: leave it out"
                    )
        return self

    @property
    def first_epoch(self) -> int:
        """The first epoch, from 0, in which a teacher can have a say."""
        waits = self.teacher == "snapshots" and self.unit == "epoch"
        return max(self.start_epoch, self.every if waits else 0)


class MeasurementConfig(BaseModel):
    """What is measured of the supernet, and how often.

    Attributes:
        every_epochs: Measure after every so many epochs, and after the last one.
        num_images: Images of the alphas' half for the Hessian and the noise slope.
        full_hessian_up_to: Number of alphas up to which the whole Hessian is computed; above, Lanczos.
        noise_sigmas: Growing standard deviations of the weights' noise, relative to each tensor's root mean square.
        calibration_images: Training images on which batch norms are re-estimated before held-out images are classified.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    every_epochs: int = Field(default=1, ge=1)
    num_images: int = Field(default=128, ge=2)
    full_hessian_up_to: int = Field(default=64, ge=0)
    noise_sigmas: tuple[float, ...] = Field(default=DEFAULT_SIGMAS, min_length=1)
    calibration_images: int = Field(default=1024, ge=2)

    @model_validator(mode="after")
    def _sigmas_grow(self) -> Self:
        if not all(low < high for low, high in pairwise((0.0, *self.noise_sigmas))):
            raise UserError(f"noise_sigmas must be greater than 0 and grow, got {self.noise_sigmas}")
        return self


class EarlyStoppingConfig(BaseModel):
    """When the search ends since the eigenvalue grows.

    Source: RobustDARTS (Zela et al., ICLR 2020, arXiv 1909.09656), section 4.3, with its numbers as defaults. Values
    are those of measured epochs.

    Attributes:
        window: Measurements that each compared mean is over, centred.
        lag: So many measurements lie between the compared means; the architecture of the earlier one is the result.
        factor: The search ends where the earlier mean is below this share of the later one.
        earliest: No measurement before this one, from 0, decides or is chosen.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    window: int = Field(default=5, ge=1)
    lag: int = Field(default=5, ge=1)
    factor: float = Field(default=0.75, gt=0, lt=1)
    earliest: int = Field(default=0, ge=0)


class SdDartsConfig(MethodSettings):
    """How the alphas and the weights of one supernet are trained.

    The defaults are the published ones of DARTS (Liu et al., ICLR 2019, arXiv 1806.09055) on CIFAR-10.

    Attributes:
        order: Which of the two comes first in a step. "alpha_first" is DARTS's.
        second_order: The alphas' gradient through one virtual step of the weights; else at the present weights.
        lr: Learning rate of the weights (SGD), falling along a cosine to `lr_min` over the epochs.
        nesterov: Nesterov's momentum.
        gradient_clip: Largest norm of the weights' gradient.
        alpha_lr: Learning rate of the alphas (Adam).
        alpha_betas: Adam's betas.
        alpha_weight_decay: L2 penalty of the alphas.
        alpha_start_epoch: The alphas rest in the epochs before.
        allow_none: Whether what is found may have "none" on an edge, where a space has such architectures (of the
            shipped ones, NAS-Bench-201's). DARTS never takes it; NAS-Bench-201's released searches do.
        self_distillation: The earlier supernets' part; None: plain DARTS.
        early_stopping: None: all epochs are run.
    """

    method: Literal["sd_darts"] = "sd_darts"
    epochs: int = Field(default=50, ge=1)
    batch_size: int = Field(default=64, ge=2)
    order: Literal["alpha_first", "weights_first"] = "alpha_first"
    second_order: bool = False
    lr: float = Field(default=0.025, gt=0)
    lr_min: float = Field(default=0.001, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(default=3e-4, ge=0)
    gradient_clip: float | None = Field(default=5.0, gt=0)
    alpha_lr: float = Field(default=3e-4, gt=0)
    alpha_betas: tuple[float, float] = (0.5, 0.999)
    alpha_weight_decay: float = Field(default=1e-3, ge=0)
    alpha_start_epoch: int = Field(default=0, ge=0)
    allow_none: bool = False
    self_distillation: SelfDistillationConfig | None = SelfDistillationConfig()
    measure: MeasurementConfig = MeasurementConfig()
    early_stopping: EarlyStoppingConfig | None = None

    @model_validator(mode="after")
    def _settings_fit(self) -> Self:
        if self.lr_min > self.lr:
            raise UserError(f"lr_min must be at most lr, {self.lr:g}, got {self.lr_min:g}")
        if self.nesterov and self.momentum == 0:
            raise UserError("nesterov must go with a momentum greater than 0, got momentum 0")
        if self.alpha_start_epoch >= self.epochs:
            raise UserError(
                f"alpha_start_epoch must be less than epochs, {self.epochs}, got {self.alpha_start_epoch}: the alphas "
                "would never learn"
            )
        teachers = self.teachers
        if teachers is not None and teachers.first_epoch >= self.epochs:
            raise UserError(
                f"self_distillation must begin before the search ends: with start_epoch {teachers.start_epoch} and a "
                f"snapshot every {teachers.every} no teacher speaks in the first {teachers.first_epoch} epochs, of "
                f"{self.epochs}; lower these, or set self_distillation to null, which is plain DARTS"
            )
        rule, measured = self.early_stopping, -(-self.epochs // self.measure.every_epochs)
        if rule is not None and measured < rule.window + rule.lag:
            raise UserError(
                f"early_stopping must have window + lag = {rule.window + rule.lag} measurements to compare, got "
                f"{measured}: lower these or measure.every_epochs"
            )
        if rule is not None and rule.earliest > measured - rule.window - rule.lag + (rule.window - 1) // 2:
            raise UserError(
                f"early_stopping.earliest must leave measurements to compare behind it, got {rule.earliest} of "
                f"{measured} measurements with window {rule.window} and lag {rule.lag}: lower these or "
                "measure.every_epochs"
            )
        if not all(0 <= beta < 1 for beta in self.alpha_betas):
            raise UserError(f"alpha_betas must be in [0, 1), got {self.alpha_betas}")
        return self

    @property
    def teachers(self) -> SelfDistillationConfig | None:
        """The self-distillation, if it does anything."""
        distillation = self.self_distillation
        return distillation if distillation is not None and distillation.weight > 0 else None
