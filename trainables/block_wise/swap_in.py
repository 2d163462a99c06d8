"""Rating a block's output by what the rest of the teacher makes of it, in the place of the teacher's own.

Source: a candidate block is scored inside the network that it replaces a block of, as in LANA (Molchanov et al., arXiv
2107.10624) and Puzzle (Bercovich et al., arXiv 2411.19146). Our own reading: the score is the Kullback-Leibler
divergence of the predictions, without labels, so that a teacher of other classes than the data's will do; the candidate
comes with the supernet's adapters and re-estimated batch norms; the rest of the teacher stays as it is.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SwapIn:
    """Rates the outputs of one block; lower is better, 0 is the teacher's own."""

    def __init__(self, rest: nn.Module, images_per_batch: int) -> None:
        """Rates by `rest`, the teacher's pieces behind the block, on so many images of each batch, or all it has."""
        self._rest, self._images_per_batch = rest, images_per_batch

    @torch.no_grad()
    def predict(self, features: Tensor) -> Tensor:
        """Log probabilities [n, num_classes], float64, that follow from a batch of the block's outputs [B, ...]."""
        logits = self._rest(features[self._rows(len(features), features.device)])
        return logits.double().log_softmax(dim=1)

    def rate(self, output: Tensor, predictions: Tensor) -> float:
        """The mean over the images of KL(teacher || teacher with `output` in the place of its own), in nats.

        Args:
            output: A candidate's output for a batch, at the teacher's width, [B, ...].
            predictions: What `predict` gives for the teacher's own output for that batch.
        """
        divergence = F.kl_div(self.predict(output), predictions, reduction="batchmean", log_target=True)
        return float(divergence)

    def _rows(self, num_images: int, device: torch.device) -> Tensor:
        """Rows spread evenly over a batch, since data sets may be in the order of their classes."""
        num_rows = min(num_images, self._images_per_batch)
        return torch.arange(num_rows, device=device) * num_images // num_rows
