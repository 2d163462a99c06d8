"""The check of an exported network: in a fresh interpreter it must give what the trained one gives."""

import math
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nasray.errors import UserError
from nasray.trainables.data.split import Split

TOLERANCE = 1e-4
"""Largest difference of two logits, as a share of the largest logit."""
NUM_IMAGES = 256
_SCRIPT = Path(__file__).with_name("fresh_logits.py")
_NUM_ERRORS = 5  # standard errors by which an accuracy may miss the recorded one


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check found.

    Attributes:
        num_images: On so many held-out images.
        accuracy: Share of these that the exported network gets right, 0 to 1.
        difference: Largest difference between its logits and the trained network's, as a share of the largest logit.
    """

    num_images: int
    accuracy: float
    difference: float


def check_export(folder: Path, network: nn.Module, held_out: Split, recorded_accuracy: float) -> Checked:
    """Load an export without nasray, and hold its logits to the network's on a few held-out images.

    The accuracy must agree with that recorded after the training, within five standard errors: else network and
    export may agree, but on damaged weights.

    Args:
        folder: The exported folder.
        network: The trained network, on the CPU, in evaluation mode.
        held_out: The held-out images.
        recorded_accuracy: Share of them that it got right when it was trained, 0 to 1.

    Raises:
        UserError: The export cannot be loaded, or differs.
    """
    positions = np.linspace(0, len(held_out) - 1, min(len(held_out), NUM_IMAGES)).astype(int)
    images, labels = held_out.images(positions), held_out.labels(positions)
    expected, exported = _logits(network, images), _fresh_logits(folder, images)
    scale = max(float(expected.abs().max()), torch.finfo(expected.dtype).tiny)
    difference = float((expected - exported).abs().max()) / scale
    if not difference <= TOLERANCE:  # also where it is not a number
        raise UserError(
            f"an exported network must give the trained one's logits to {TOLERANCE:g} of the largest, got a difference "
            f"of {difference:.2g}: choose another format"
        )
    accuracy = float((exported[: len(images)].argmax(dim=1) == labels).float().mean())
    error = math.sqrt(max(recorded_accuracy * (1 - recorded_accuracy), 1 / len(images)) / len(images))
    if abs(accuracy - recorded_accuracy) > _NUM_ERRORS * error:
        raise UserError(
            f"the network must get about {recorded_accuracy:.1%} of the held-out images right, as after its training, "
            f"got {accuracy:.1%} of {len(images)}: its weights or operations have changed, so train it again"
        )
    return Checked(len(images), accuracy, difference)


@torch.no_grad()
def _logits(network: nn.Module, images: Tensor) -> Tensor:
    """Logits of all images, and behind them those of the first one alone."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return torch.cat([network(images), network(images[:1])])


def _fresh_logits(folder: Path, images: Tensor) -> Tensor:
    """The same of an exported network, computed by an interpreter of its own.

    Raises:
        UserError: It failed.
    """
    with tempfile.TemporaryDirectory() as temporary:
        batch, output = Path(temporary, "batch.safetensors"), Path(temporary, "logits.safetensors")
        save_file({"images": images.contiguous()}, batch)
        # Isolated: without the current folder and the user's packages; and leaving no compiled files in the export.
        command = [
            sys.executable,
            "-I",
            "-B",
            str(_SCRIPT),
            str(folder.absolute()),
            str(batch),
            str(output),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=temporary)
        if done.returncode:
            last_lines = "\n".join(done.stderr.strip().splitlines()[-4:])
            raise UserError(
                f"an exported network must load and run without nasray, but:\n{last_lines}\nChoose another format"
            )
        logits = load_file(output)
    return torch.cat([logits["logits"], logits["first"]])
