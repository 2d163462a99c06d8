"""The Ray cluster that a command works in: one that is joined, or a local one that only this machine can reach."""

import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import ray
from ray._private import ray_constants, services
from ray._private.ray_logging import stdout_deduplicator
from ray.exceptions import RayError
from ray.tune.execution import class_cache
from rich.console import Console

from nasray.cluster.local_ray import local_ray
from nasray.cluster.own_cluster import ForeignClusterError, find_own_cluster
from nasray.cluster.ray_token import account_token
from nasray.errors import UserError
from nasray.settings.resources import ResourcesConfig

_ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Tune's own would end the run as if it were finished
    "RAY_worker_niceness": "0",  # units are the work itself, and not to be starved by what else runs
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # with their tracebacks; we say it in a line
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000",  # ReadyUnits gives no more units than there is room for
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # What units print, nobody reads; by itself Ray keeps half a gigabyte of each process.
    "RAY_ROTATION_MAX_BYTES": "10000000",
    "RAY_ROTATION_BACKUP_COUNT": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
_KEYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"}
_ANY = (None, "", "auto")  # as Ray reads addresses
_SECONDS_TO_ANSWER = 5.0
_SAID_BY_US = re.compile(
    "A worker died or was killed while executing a task|Raylet is terminated|has been marked dead"
)


@contextmanager
def ray_cluster(resources: ResourcesConfig, console: Console | None = None) -> Iterator[None]:
    """Join the cluster or start a local one, quietly, and leave it at the end; one that is joined already stays.

    Nothing is done where units run in this process.

    Args:
        resources: Which cluster.
        console: Where to say that one that Ray would join is not joined; None: nowhere.

    Raises:
        UserError: There is no cluster at the address, or it does not let us in.
    """
    os.environ.update({name: value for name, value in _ENVIRONMENT.items() if name not in os.environ})
    # Tune would hand the driver's keys to all nodes, and so to Ray's logs; nodes have their own.
    class_cache.ENV_VARS_TO_PROPAGATE -= _KEYS
    stdout_deduplicator.skip_re = _SAID_BY_US
    if ray.is_initialized() or resources.in_process:
        yield
        return
    on_termination = signal.getsignal(signal.SIGTERM)
    with _cluster(resources.address, console):
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_termination)  # Ray's own would print its C++ stack
        yield


def _cluster(address: str | None, console: Console | None) -> AbstractContextManager[None]:
    """The cluster to work in: that at the address, this account's own on this machine, or a new local one.

    Raises:
        UserError: The address asks for one that is there already, and there is none of this account.
    """
    if address in _ANY:
        address = os.environ.get(ray_constants.RAY_ADDRESS_ENVIRONMENT_VARIABLE) or address
    if address == "local":
        return local_ray()
    if address not in _ANY:
        return _joined(address)
    try:
        own = find_own_cluster()
    except ForeignClusterError as error:
        if address == "auto":
            raise _refusal(address, error) from None
        if console is not None:
            console.print(f"{error}: a local Ray is started", soft_wrap=True)
        return local_ray()
    if own is not None:
        return _joined_own(own)
    if address == "auto":
        raise _refusal(address, "none is known that this account started on this machine")
    return local_ray()


@contextmanager
def _joined_own(address: str) -> Iterator[None]:
    """Join a cluster that this account started, by the account's token, and leave it at the end."""
    with account_token(), _joined(address):
        yield


@contextmanager
def _joined(address: str) -> Iterator[None]:
    """Join the cluster at an address, and leave it at the end.

    Raises:
        UserError: It is no running cluster's, or the cluster does not let us in.
    """
    if "://" in address:
        raise UserError(
            f"resources.address, or RAY_ADDRESS, must be host:port of a cluster that this machine belongs to, got "
            f"{address}, for Ray's client, in which no search can run: start it on the cluster, by `ray submit` or "
            "`ray job submit`"
        )
    try:
        _check_answers(services.canonicalize_bootstrap_address(address))
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (ValueError, ConnectionError, RuntimeError, RayError) as error:
        raise _refusal(address, error) from None
    try:
        yield
    finally:
        ray.shutdown()


def _refusal(address: str, reason: object) -> UserError:
    """The error that there is no cluster at an address, or that it does not let us in."""
    return UserError(
        f"resources.address, or RAY_ADDRESS, must be that of a running Ray cluster, got {address}: "
        f"{' '.join(str(reason).split())}; start the cluster, or set resources.address=local"
    )


def _check_answers(address: str) -> None:
    """Look whether anything listens at host:port; Ray itself would try for minutes, without a word.

    Raises:
        ConnectionError: Nothing does.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise ConnectionError(f"nothing answers at {address} ({error})") from None
