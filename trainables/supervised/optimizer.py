"""The optimiser of a supervised training, and its learning rate at each step."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from nasray.trainables.settings.training import TrainConfig

RMSPROP_ALPHA = 0.9
RMSPROP_EPSILON = 1e-3


def build_optimizer(parameters: Sequence[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    """The configured optimiser of the parameters.

    Source of RMSprop's constants: EfficientNet (Tan and Le, ICML 2019) with its released code, taken over by DNA.
    Deviation: TensorFlow adds epsilon under the root of the mean square, torch to the root.
    """
    decay = config.weight_decay
    match config.optimizer:
        case "sgd":
            momentum = config.momentum
            return torch.optim.SGD(parameters, config.lr, momentum, weight_decay=decay, nesterov=momentum > 0)
        case "adamw":
            return torch.optim.AdamW(parameters, config.lr, weight_decay=decay)
        case "rmsprop":
            return torch.optim.RMSprop(
                parameters,
                config.lr,
                alpha=RMSPROP_ALPHA,
                eps=RMSPROP_EPSILON,
                weight_decay=decay,
                momentum=config.momentum,
            )


def learning_rate(config: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """The learning rate of a step, counted from 0: linear warm-up, then the configured fall."""
    warmup = config.warmup_epochs * steps_per_epoch
    if step < warmup:
        return config.lr * (step + 1) / warmup
    if config.schedule == "step":
        return config.lr * config.step_factor ** (step // (config.step_epochs * steps_per_epoch))
    progress = (step - warmup) / max(1.0, config.epochs * steps_per_epoch - warmup)
    return config.lr * 0.5 * (1 + math.cos(math.pi * progress))
