"""The settings of training with labels, and of what a found network is given besides."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nasray.errors import UserError


class TrainConfig(BaseModel):
    """Optimiser, schedule and length of a supervised training, and what is done to its batches and weights.

    The learning rate warms up linearly over `warmup_epochs`, step by step, and then falls.

    Attributes:
        optimizer: "sgd" has Nesterov's momentum; "rmsprop" is that of EfficientNet and DNA, see `optimizer.py`.
        momentum: Of sgd and rmsprop.
        schedule: "cosine" falls to zero at the last step; "step" multiplies the rate by `step_factor` after every
            `step_epochs`, counted from the beginning.
        label_smoothing: Share of each label that is spread evenly over all classes.
        gradient_clip: Largest norm of the gradient of all parameters; None: any.
        ema_decay: Keep an exponential moving average of the weights, which is what is evaluated and left in their
            place; None: the weights themselves. See `ema.py`.
        mixup: Alpha of the Beta distribution by which images and labels are mixed (Zhang et al., ICLR 2018);
            0: not at all.
        cutmix: Alpha of the one by which rectangles are exchanged (Yun et al., ICCV 2019); 0: not at all. Where both
            are given, each batch has one of them, at equal odds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=128, ge=2)
    optimizer: Literal["sgd", "adamw", "rmsprop"] = "sgd"
    lr: float = Field(default=0.1, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=5e-4, ge=0)
    warmup_epochs: float = Field(default=1.0, ge=0)
    schedule: Literal["cosine", "step"] = "cosine"
    step_epochs: float = Field(default=2.4, gt=0)
    step_factor: float = Field(default=0.97, gt=0, le=1)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    gradient_clip: float | None = Field(default=None, gt=0)
    ema_decay: float | None = Field(default=None, gt=0, lt=1)
    mixup: float = Field(default=0.0, ge=0)
    cutmix: float = Field(default=0.0, ge=0)


class DistillationConfig(BaseModel):
    """What a network learns from the teacher, beside the labels.

    The loss is the labels' cross-entropy + `logits` * T² KL(teacher || network) + `features` * the mean over the blocks
    of their distance from the teacher's features, see `distillation.py`.

    Attributes:
        logits: Weight of the teacher's answers, which needs a teacher of the data's classes.
        temperature: T, by which the logits of both are divided.
        features: Weight of the teacher's features behind each block.
        multi_step: The network's epoch e is taught by the teacher as it was after its own epoch e, instead of by the
            trained one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    logits: float = Field(default=1.0, ge=0)
    temperature: float = Field(default=4.0, gt=0)
    features: float = Field(default=0.0, ge=0)
    multi_step: bool = False

    @model_validator(mode="after")
    def _teaches_something(self) -> Self:
        if self.logits == self.features == 0:
            raise UserError(
                "logits or features must be greater than 0, got 0 for both: leave distillation out"
            )
        return self


class RetrainConfig(BaseModel):
    """How an architecture is trained for real.

    Attributes:
        train: Optimiser, schedule and length.
        init: "scratch", or "inherited": from the weights of its blocks in the supernets of the DNA search.
        distillation: What the teacher adds; None: it learns from the labels alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: TrainConfig = TrainConfig()
    init: Literal["scratch", "inherited"] = "scratch"
    distillation: DistillationConfig | None = None
