"""A supervised training that leaves its weights after every epoch, for those who learn from its past."""

from pathlib import Path
from typing import Any

from torch import nn

from trainables.data import ImageData
from trainables.retrain.config import TrainConfig
from trainables.retrain.step import SupervisedTraining
from trainables.trainable import DamagedCheckpointError
from trainables.training import ComputeConfig
from trainables.weights import save_weights

_NUM_KEPT = "num_kept"


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
        self._num_kept = 0

    def evaluate(self, epoch: int) -> dict[str, float]:
        """Accuracy on the held-out images; the weights are on disk before the epoch's checkpoint is."""
        save_weights(self.trained, epoch_weights(self._folder, epoch + 1))
        self._num_kept = epoch + 1
        return super().evaluate(epoch)

    def state_dict(self) -> dict[str, Any]:
        """The training's state, and how many epochs were kept."""
        return {**super().state_dict(), _NUM_KEPT: self._num_kept}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`.

        Raises:
            DamagedCheckpointError: The weights of an epoch are missing, or were not kept.
        """
        num_kept = state.get(_NUM_KEPT, 0)
        missing = [e for e in range(1, num_kept + 1) if not epoch_weights(self._folder, e).is_file()]
        if missing or not num_kept:
            raise DamagedCheckpointError(
                f"the weights of all epochs must be kept, {missing or 'all'} are missing"
            )
        super().load_state_dict(state)
        self._num_kept = num_kept


def epochs_folder(folder: Path) -> Path:
    """Where the weights after the epochs of a unit are kept."""
    return folder / "epochs"


def epoch_weights(folder: Path, epoch: int) -> Path:
    """The file of the weights after an epoch, from 1."""
    return epochs_folder(folder) / f"{epoch}.safetensors"
