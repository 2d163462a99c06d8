"""A supervised training that leaves its weights after every epoch, for those who learn from its past."""

from pathlib import Path
from typing import Any

from torch import nn

from nasray.search_spaces.files.damage import file_checksum
from nasray.trainables.core.trainable import DamagedCheckpointError
from nasray.trainables.core.weights import save_weights
from nasray.trainables.data.image_data import ImageData
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.training import TrainConfig
from nasray.trainables.supervised.step import SupervisedTraining

_KEPT = "kept"


class KeptEpochs(SupervisedTraining):
    """A `Method` whose weights after epoch e, from 1, stay in `epoch_weights(folder, e)`."""

    def __init__(
        self,
        model: nn.Module,
        images: ImageData,
        config: TrainConfig,
        compute: ComputeConfig,
        *,
        seed: int,
        folder: Path,
    ) -> None:
        super().__init__(model, images, config, compute, seed=seed)
        self._folder = folder
        self._checksums: list[str] = []

    def evaluate(self, epoch: int) -> dict[str, float]:
        """Accuracy on the held-out images; the weights are on disk before the epoch's checkpoint is."""
        path = epoch_weights(self._folder, epoch + 1)
        save_weights(self.trained, path)
        self._checksums = [*self._checksums[:epoch], file_checksum(path)]
        return super().evaluate(epoch)

    def state_dict(self) -> dict[str, Any]:
        """The training's state, and the checksums of the epochs that were kept."""
        return {**super().state_dict(), _KEPT: list(self._checksums)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`.

        Raises:
            DamagedCheckpointError: The weights of an epoch are missing, have changed, or were not kept.
        """
        checksums = state.get(_KEPT, [])
        gone = [
            epoch
            for epoch, checksum in enumerate(checksums, start=1)
            if not _holds(epoch_weights(self._folder, epoch), checksum)
        ]
        if gone or not checksums:
            raise DamagedCheckpointError(f"the weights of all epochs must be kept, {gone or 'all'} are not")
        super().load_state_dict(state)
        self._checksums = checksums


def epochs_folder(folder: Path) -> Path:
    """Where the weights after the epochs of a unit are kept."""
    return folder / "epochs"


def epoch_weights(folder: Path, epoch: int) -> Path:
    """The file of the weights after an epoch, from 1."""
    return epochs_folder(folder) / f"{epoch}.safetensors"


def _holds(path: Path, checksum: str) -> bool:
    return path.is_file() and file_checksum(path) == checksum
