"""A Ray of this machine alone: on the loopback interface, in a private folder, with a token of its own."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import ray
from ray._private import ray_constants

from nasray.account.changed_environment import changed_environment
from nasray.account.private_folder import holds_socket, private_folder
from nasray.cluster.ray_parts import watched_parts
from nasray.cluster.ray_token import new_token

_COMPILED, _BY_TORCH = "TORCHINDUCTOR_CACHE_DIR", "torchinductor_"
_TEMPORARY, _LOADERS_SOCKET = "TMPDIR", "pymp-abcdefgh/listener-abcdefgh"
_FOLDER = "ray"
# What Ray calls its session, by time and process, and its longest socket.
_LONGEST_SOCKET = f"{_FOLDER}/session_2000-01-01_00-00-00_000000_4194304/sockets/plasma_store"


@contextmanager
def local_ray(**resources: int) -> Iterator[None]:
    """Start a Ray that no other account can reach or use, and end it.

    Ray by itself makes its folder writable for all, and takes or leaves its token in the home folder, which may be one
    that cannot be written.

    Args:
        resources: What the machine has, `num_cpus` and `num_gpus`, where Ray shall not look for itself.

    Raises:
        UserError: There is no place for its folder.
        SearchFailedError: A part of it died.
    """
    with (
        private_folder(_LONGEST_SOCKET) as folder,
        new_token(folder / "token"),
        changed_environment(
            {_COMPILED: _compiled_place(folder / "compiled"), _TEMPORARY: _temporary_place(folder)}
        ),
    ):
        try:
            _start(folder / _FOLDER, resources)
            with watched_parts():
                yield
        finally:
            ray.shutdown()


def _compiled_place(private: Path) -> str:
    """Where units keep what they compile, and load code from: where the user says, else in a private folder.

    PyTorch's own choice, of which it makes a variable when it is imported, is a name in the temporary folder that
    another account may have taken before.
    """
    said = os.environ.get(_COMPILED)
    return str(private) if said is None or Path(said).name.startswith(_BY_TORCH) else said


def _temporary_place(private: Path) -> str | None:
    """Where units have their temporary files: where this process has them, unless that path is too long.

    Processes that load images hand them over by sockets there, and without these wait for ever.
    """
    said = os.environ.get(_TEMPORARY)
    return said if holds_socket(Path(tempfile.gettempdir()), _LOADERS_SOCKET) else str(private)


def _start(folder: Path, resources: Mapping[str, int]) -> None:
    """Start Ray on the loopback interface.

    By itself it listens on all interfaces, since other machines might join it. Its one switch is an environment
    variable that is read when Ray is imported, too early to know whether a cluster is to be joined.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        ray.init(
            address="local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level="error",
            _temp_dir=str(folder),
            **resources,
        )
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before
