"""The networks of a run that were trained for real, and which of them goes out."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from nasray.run_folder import RunFolder, read_json
from trainables.retrain.trainable import HELD_OUT_ACCURACY, NETWORK, RETRAINED, TEST_ACCURACY
from trainables.trainable import read_done


@dataclass(frozen=True, slots=True)
class Retrained:
    """One training of an architecture.

    Attributes:
        folder: Its unit's folder.
        architecture: The architecture's ID.
        seed: The training's seed.
        test_accuracy: Share of the test images that it gets right, 0 to 1.
        held_out_accuracy: Share of the held-out images.
        num_epochs: How long it was trained.
    """

    folder: Path
    architecture: str
    seed: int
    test_accuracy: float
    held_out_accuracy: float
    num_epochs: int

    @property
    def digest(self) -> str:
        """What stands for the architecture in names of folders."""
        return self.folder.parent.name

    def load_weights(self, network: nn.Module) -> None:
        """Give a network of this architecture the trained weights.

        Raises:
            ValueError: The file is damaged, or of another network.
        """
        path = self.folder / NETWORK
        try:
            network.load_state_dict(load_file(path))
        except (SafetensorError, RuntimeError) as error:
            raise ValueError(
                f"{path} must hold the weights of {self.architecture}, but: {error}. Delete {self.folder} and run "
                "`nasray retrain` again"
            ) from error


def choose_retrained(folder: RunFolder, architecture: str | None, seed: int | None) -> list[Retrained]:
    """All trainings of one architecture, the one that goes out first: that with the best held-out accuracy.

    Test images are for the last word and choose nothing.

    Args:
        folder: The run's folder.
        architecture: Which; None: the one with the best held-out accuracy, averaged over its seeds.
        seed: Which training; None: see above.

    Raises:
        ValueError: There is no such training.
    """
    by_architecture = defaultdict(list)
    for one in _read_all(folder):
        by_architecture[one.architecture].append(one)
    if architecture is None and by_architecture:
        architecture = max(
            by_architecture, key=lambda text: fmean(one.held_out_accuracy for one in by_architecture[text])
        )
    trainings = by_architecture.get(architecture or "", [])
    if not trainings:
        raise ValueError(
            f"an architecture must be trained for real before it is exported; in {folder.path} "
            + (f"{architecture} is not" if architecture else "none is")
            + f": nasray retrain {folder.path} --architecture '{architecture or 'ID'}'"
        )
    if seed is not None and seed not in {one.seed for one in trainings}:
        seeds = ", ".join(str(one.seed) for one in trainings)
        raise ValueError(f"seed must be one that {architecture} was trained with, {seeds}, got {seed}")
    return sorted(trainings, key=lambda one: (one.seed != seed, -one.held_out_accuracy, one.seed))


def _read_all(folder: RunFolder) -> list[Retrained]:
    """The finished trainings, ordered by architecture and seed."""
    found = []
    for path in folder.unit("retrain").glob(f"*/*/{RETRAINED}"):
        done, content = read_done(path.parent), read_json(path)
        if done is None or content is None or not (path.parent / NETWORK).is_file():
            continue
        found.append(
            Retrained(
                path.parent,
                content["architecture"],
                content["seed"],
                content[TEST_ACCURACY],
                content[HELD_OUT_ACCURACY],
                max((metrics.get("epoch", 0) for metrics in done["history"]), default=0),
            )
        )
    return sorted(found, key=lambda one: (one.architecture, one.seed))
