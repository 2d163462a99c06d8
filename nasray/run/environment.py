"""The environment of a launch: versions, commit, variables, machine."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

_RECORDED_PACKAGES = ("nasray", "ray", "torch", "torchvision", "optuna", "pandas", "mlflow", "numpy", "scipy")
# Those that change results, by name: others may hold secrets.
_RECORDED_VARIABLES = (
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_VISIBLE_DEVICES",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "PYTHONHASHSEED",
)


def describe_environment(seed: int) -> dict[str, Any]:
    """Versions, variables of the environment, commit, seed and machine, for the record."""
    return {
        "commit": current_commit(),
        "seed": seed,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _RECORDED_PACKAGES},
        "variables": {name: os.environ[name] for name in _RECORDED_VARIABLES if name in os.environ},
        "machine": {
            "system": platform.platform(),
            "processor": platform.machine(),
            "cpus": os.cpu_count(),
            "memory_bytes": psutil.virtual_memory().total,
        },
    }


def current_commit() -> str | None:
    """The commit of the checkout that nasray is imported from, with "+" if it was changed; None outside of one."""
    here = Path(__file__).resolve()
    # Installed into an environment inside of another project's checkout, nasray has no commit.
    if _git("ls-files", "--error-unmatch", here.name) is None:
        return None
    return _git("describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*")


def _git(*arguments: str) -> str | None:
    """What git says in this package's folder, or None where it fails."""
    command = ["git", "-C", str(Path(__file__).resolve().parent), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
