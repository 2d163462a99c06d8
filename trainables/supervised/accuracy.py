"""The accuracy of a classifier on a split."""

import torch
from torch import nn

from nasray.trainables.core.compute import place, prepare
from nasray.trainables.data.split import Split
from nasray.trainables.settings.compute import ComputeConfig

EVALUATION_BATCH = 256


@torch.no_grad()
def accuracy(model: nn.Module, split: Split, compute: ComputeConfig) -> float:
    """The share, 0 to 1, of a split's images that the model classifies rightly, in evaluation mode."""
    device = prepare(compute)
    model.eval()
    right = torch.zeros((), device=device)
    batches = split.batches(
        EVALUATION_BATCH, seed=0, epoch=0, shuffle=False, augment=False, num_workers=compute.num_workers
    )
    for images, labels in batches:
        logits = model(place(compute, images, device))
        right += (logits.argmax(dim=1) == labels.to(device)).sum()
    return float(right) / len(split)
