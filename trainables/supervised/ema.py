"""The exponential moving average of a model's weights and batch-norm statistics.

Source: TensorFlow's ExponentialMovingAverage with `num_updates`, as EfficientNet uses it (Tan and Le, ICML 2019):
the decay of update n is min(decay, (1 + n) / (10 + n)), so that short trainings forget their beginning, too.
"""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def moving_average(model: nn.Module, decay: float) -> AveragedModel:
    """A copy of `model` that `update_parameters` moves towards it; the first update copies it.

    Counts, such as those of a batch norm's batches, are taken over as they are.
    """

    def average(averaged: Tensor, current: Tensor, num_updates: Tensor | int) -> Tensor:
        if not averaged.is_floating_point():
            return current
        updates = torch.as_tensor(num_updates, dtype=averaged.dtype, device=averaged.device)
        weight = ((1 + updates) / (10 + updates)).clamp(max=decay)
        return torch.lerp(current, averaged, weight)

    return AveragedModel(model, avg_fn=average, use_buffers=True)
