"""The networks of a run that were trained for real, and which of them goes out."""

import shlex
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from nasray.analysis.runs.run import load_run
from nasray.errors import UserError
from nasray.run.folder import RunFolder, read_json
from nasray.search_spaces.artefacts.columns import HELD_OUT_ACCURACY, TEST_ACCURACY
from nasray.trainables.core.trainable import read_done
from nasray.trainables.retrain.trainable import NETWORK, RETRAINED


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

    @property
    def settings(self) -> str:
        """What stands for the way of training in names of folders."""
        return self.folder.name.partition("_")[0]

    def load_weights(self, network: nn.Module) -> None:
        """Give a network of this architecture the trained weights.

        Raises:
            UserError: The file is damaged, or of another network.
        """
        path = self.folder / NETWORK
        try:
            network.load_state_dict(load_file(path))
        except (SafetensorError, RuntimeError) as error:
            raise UserError(
                f"{path} must hold the weights of {self.architecture}, but: {error}. Delete {self.folder} and run "
                "`nasray retrain` again"
            ) from error


def choose_retrained(folder: RunFolder, architecture: str | None, seed: int | None) -> list[Retrained]:
    """The trainings of one architecture in one way, the one that goes out first: that with the best held-out accuracy.

    Test images are for the last word and choose nothing.

    Args:
        folder: The run's folder.
        architecture: Which; None: of the networks of the run's evidence, the one with the best held-out accuracy,
            averaged over its seeds.
        seed: Which training; None: see above.

    Raises:
        UserError: There is no such training.
    """
    trained = _read_all(folder)
    if architecture is None:
        names = _evidence(folder)
        wanted = [one for one in trained if names is None or one.architecture in names]
    else:
        wanted = [one for one in trained if one.architecture == architecture]
    if not wanted:
        raise UserError(
            f"an architecture must be trained for real before it is exported; in {folder.path} "
            + (f"{architecture} is not" if architecture else "none is")
            + f": `nasray retrain {shlex.quote(str(folder.path))} --architecture {shlex.quote(architecture or 'ID')}`"
        )
    # Trained for longer, say, a network may stand there twice.
    alike = defaultdict(list)
    for one in wanted:
        alike[one.architecture, one.settings].append(one)
    with_seed = [group for group in alike.values() if seed is None or seed in {one.seed for one in group}]
    if not with_seed:
        seeds = ", ".join(map(str, sorted({one.seed for one in wanted})))
        raise UserError(
            f"seed must be one that {architecture or 'a network'} was trained with, {seeds}, got {seed}"
        )
    best = max(with_seed, key=lambda group: fmean(one.held_out_accuracy for one in group))
    return sorted(best, key=lambda one: (one.seed != seed, -one.held_out_accuracy, one.seed))


def _evidence(folder: RunFolder) -> set[str] | None:
    """The architectures of the run's evidence; None where there is none.

    Raises:
        UserError: Its file is damaged.
    """
    networks = load_run(folder.path).agreement
    return None if networks is None or not len(networks) else set(networks["architecture"])


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
