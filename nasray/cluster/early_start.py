"""The cluster of a new search, joined or started while the rest of nasray is imported, with processes warmed up."""

import atexit
import threading
from typing import Any

from nasray.settings.resources import ResourcesConfig

_LONGEST_WAIT_SECONDS = 60.0


class EarlyStart:
    """A cluster that is entered in a thread of its own, and left when the process ends.

    Args:
        resources: Which cluster.
        console: Where to say that one that Ray would join is not joined.
    """

    def __init__(self, resources: ResourcesConfig, console: Any) -> None:
        self._resources, self._console = resources, console
        self._entered, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold, name="early start", daemon=True)

    def begin(self) -> None:
        """Start, and go on at once."""
        global _BEGUN  # noqa: PLW0603  (there is one cluster of a process)
        _BEGUN = self
        self._thread.start()
        # Not when the search ends: whatever it has to say is said before the cluster is left.
        atexit.register(self._leave)

    def wait(self) -> None:
        """Wait until the cluster is entered; whoever enters it anew tells what is wrong where it could not be."""
        self._entered.wait(_LONGEST_WAIT_SECONDS)

    def _hold(self) -> None:
        # Ray and all that needs it are imported here, beside torch.
        from nasray.cluster.cluster import ray_cluster  # noqa: PLC0415

        try:
            with ray_cluster(self._resources, self._console):
                self._entered.set()
                _warm_up()
                self._over.wait()
        finally:
            self._entered.set()

    def _leave(self) -> None:
        self._over.set()
        self._thread.join(_LONGEST_WAIT_SECONDS)


_BEGUN: EarlyStart | None = None


def wait_for_early_start() -> None:
    """Wait for the cluster that this process is entering early, if it does so, unless this is who enters it."""
    if _BEGUN is not None and threading.current_thread().name != "early start":
        _BEGUN.wait()


def _warm_up() -> None:
    """Have idle processes import what units need, as many as may run at once here."""
    import ray  # noqa: PLC0415

    def import_units() -> None:
        import nasray.trainables.units  # noqa: F401, PLC0415

    warm_up = ray.remote(num_cpus=1)(import_units)
    for _ in range(int(ray.cluster_resources().get("CPU", 0))):
        warm_up.remote()
