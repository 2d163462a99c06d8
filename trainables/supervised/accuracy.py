"""The accuracy of a classifier on a split."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nasray.trainables.core.compute import place, prepare
from nasray.trainables.data.split import Split
from nasray.trainables.settings.compute import ComputeConfig

EVALUATION_BATCH = 256


@torch.no_grad()
def accuracy(model: nn.Module, split: Split, compute: ComputeConfig) -> float:
    """The share, 0 to 1, of a split's images that the model classifies rightly, in evaluation mode."""
    return float(sum(num_right(*answered) for answered in answers(model, split, compute))) / len(split)


@torch.no_grad()
def answers(model: nn.Module, split: Split, compute: ComputeConfig) -> Iterator[tuple[Tensor, Tensor]]:
    """Logits [B, num_classes] in evaluation mode and labels [B], batch by batch, on the device."""
    device = prepare(compute)
    model.eval()
    batches = split.batches(
        EVALUATION_BATCH, seed=0, epoch=0, shuffle=False, augment=False, num_workers=compute.num_workers
    )
    for images, labels in batches:
        yield model(place(compute, images, device)), labels.to(device)


def num_right(logits: Tensor, labels: Tensor) -> Tensor:
    """How many of the images are classified rightly, a scalar on the device."""
    return (logits.argmax(dim=1) == labels).sum()
