"""The Ray cluster that a command works in: one that is joined, or a local one that only this machine can reach."""

import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import ray
from ray._private import ray_constants, services
from ray._private.ray_logging import stdout_deduplicator
from ray.exceptions import RayError
from ray.tune.execution import class_cache

from nasray.config import ResourcesConfig

_ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Tune's own would end the run as if it were finished
    "RAY_worker_niceness": "0",  # units are the work itself, and not to be starved by what else runs
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # with their tracebacks; we say it in a line
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000",  # ReadyUnits gives no more units than there is room for
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
_KEYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"}
_SECONDS_TO_ANSWER = 5.0
_SAID_BY_US = re.compile("A worker died or was killed while executing a task")


@contextmanager
def ray_cluster(resources: ResourcesConfig) -> Iterator[None]:
    """Join the cluster or start a local one, quietly, and leave it at the end; one that is joined already stays.

    Raises:
        ValueError: There is no cluster at the address, or it does not let us in.
    """
    os.environ.update({name: value for name, value in _ENVIRONMENT.items() if name not in os.environ})
    # Tune would hand the driver's keys to all nodes, and so to Ray's logs; nodes have their own.
    class_cache.ENV_VARS_TO_PROPAGATE -= _KEYS
    stdout_deduplicator.skip_re = _SAID_BY_US
    if ray.is_initialized():
        yield
        return
    on_termination = signal.getsignal(signal.SIGTERM)
    if not _joined(resources.address):
        start_local()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_termination)  # Ray's own would print its C++ stack
    try:
        yield
    finally:
        ray.shutdown()


def _joined(address: str | None) -> bool:
    """Join the cluster at an address; False: there is none to join, and Ray would start one on this machine.

    Raises:
        ValueError: It is no running cluster's, or the cluster does not let us in.
    """
    if address in (None, "auto"):  # as Ray reads it
        address = os.environ.get(ray_constants.RAY_ADDRESS_ENVIRONMENT_VARIABLE) or address
    if address is not None and "://" in address:
        raise ValueError(
            f"resources.address, or RAY_ADDRESS, must be host:port of a cluster that this machine belongs to, got "
            f"{address}, for Ray's client, in which no search can run: start it on the cluster, by `ray submit` or "
            "`ray job submit`"
        )
    found = address
    try:
        found = services.canonicalize_bootstrap_address(address)
        if found is None:
            return False
        _check_answers(found)
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (ValueError, ConnectionError, RuntimeError, RayError) as error:
        raise ValueError(
            f"resources.address, or RAY_ADDRESS, must be that of a running Ray cluster, got {address or found}: "
            f"{' '.join(str(error).split())}; start the cluster, or set resources.address=local"
        ) from None
    return True


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


def start_local(**resources: int) -> None:
    """Start a Ray of this machine alone, which listens on the loopback interface.

    By itself it listens on all interfaces, since other machines might join it. Its one switch is an environment
    variable that is read when Ray is imported, too early to know whether a cluster is to be joined.

    Args:
        resources: What the machine has, `num_cpus` and `num_gpus`, where Ray shall not look for itself.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        ray.init(
            address="local", include_dashboard=False, log_to_driver=False, logging_level="error", **resources
        )
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before
