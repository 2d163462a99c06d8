"""The released code of DNA (github.com/changlin31/DNA), run on a CPU as far as its times go.

Its own functions train an epoch and evaluate a path; the teacher's weights are random, and the batches are given. What
is switched off: its loader, its log. One process makes its ratings zero (a mean is taken of what only several gather),
so they say nothing here.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from no_gpu import use_no_gpu
from torch import Tensor, nn

_SETTINGS = argparse.Namespace(
    print_detail=True,
    label_train=False,
    feature_train=True,
    guide_input=True,
    update_frequency=1,
    reverse_train=False,
    save_last_feature=True,
    distributed=False,
    local_rank=1,  # says nothing
    log_interval=50,
    eval_intervals=2,
)
Pair = tuple[Tensor, Tensor]


class ReleasedDna:
    """Student supernet and teacher of the released code."""

    def __init__(self, folder: Path) -> None:
        """From a clone of the repository."""
        use_no_gpu()
        sys.path.insert(0, str(folder / "searching"))
        from dna import distill_train  # noqa: PLC0415
        from dna.student_supernet import StudentSuperNet  # noqa: PLC0415
        from timm_.models import create_model  # noqa: PLC0415
        from timm_.utils import BN_Correction  # noqa: PLC0415

        logging.disable(logging.INFO)
        self._train_epoch, self._correction = distill_train._train_epoch, BN_Correction
        self.supernet = StudentSuperNet(num_classes=1000)
        self.teacher = create_model("tf_efficientnet_b7", pretrained=False, num_classes=1000)

    def optimizer(self, lr: float, weight_decay: float) -> torch.optim.Optimizer:
        """As its settings make it: one for all blocks."""
        return torch.optim.Adam(self.supernet.parameters(), lr, weight_decay=weight_decay)

    def train(self, stage: int, batches: Sequence[Pair], optimizer: torch.optim.Optimizer) -> None:
        """Its own steps of training a block on features (before it, behind it), without the teacher's time."""
        teacher = _Given([(behind, before) for before, behind in batches])
        images = [(before, None) for before, _ in batches]
        scheduler = argparse.Namespace(step_update=lambda **_: None)
        self._train_epoch(
            supernet=self.supernet,
            teacher=teacher,
            train_loader=images,
            optimizer=optimizer,
            scheduler=scheduler,
            args=_SETTINGS,
            stage=stage,
            model_pool=[],
        )

    @torch.no_grad()
    def teach(self, stage: int, images: Tensor) -> Pair:
        """The teacher's features before and behind a block, as it computes them in every step."""
        self.teacher.train()
        behind, before = self.teacher.forward(images, end_block=stage)
        return before, behind

    @torch.no_grad()
    def evaluate(self, stage: int, encoding: Sequence[int], calibration: Tensor, features: Tensor) -> Tensor:
        """A path's output as for its rating: batch norms anew by one batch, then the path on another."""
        where = {"encoding": encoding, "start_block": stage - 1, "end_block": stage, "reverse_encod": False}
        self._correction(self.supernet, calibration, _SETTINGS)(**where, net="supernet")
        return self.supernet(features, **where)[0]


class _Given(nn.Module):
    """A teacher whose features are there already, in the order in which they are asked for."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        super().__init__()
        self._pairs = iter(pairs)

    def forward(self, images: Tensor, end_block: int) -> Pair:
        return next(self._pairs)
