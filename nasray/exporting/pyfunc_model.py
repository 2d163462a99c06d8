"""A script: an exported folder as an MLflow model, which needs no nasray.

MLflow keeps this file with the model and runs it where the model is loaded.
"""

import importlib.util
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import torch


class ExportedNetwork(mlflow.pyfunc.PythonModel):
    """Class probabilities by an exported network."""

    def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
        """Load `model.py` and the weights of the folder that was logged."""
        folder = Path(context.artifacts["network"])
        spec = importlib.util.spec_from_file_location("exported_model", folder / "model.py")
        assert spec is not None
        assert spec.loader is not None
        self._module: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self._module)
        self._network = self._module.load(folder)

    def predict(
        self,
        context: mlflow.pyfunc.PythonModelContext,
        model_input: np.ndarray,
        params: dict[str, Any] | None = None,
    ) -> np.ndarray:
        """Probabilities [B, classes] of pixels [B, C, H, W], float32 in 0..1, not yet normalised."""
        return self._module.predict(self._network, torch.tensor(model_input)).numpy()


mlflow.models.set_model(ExportedNetwork())
