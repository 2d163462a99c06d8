"""A worker node that is taken away in the middle, and another that comes."""

import os
import tempfile

from ray.cluster_utils import Cluster

from faults.outcome import Outcome, Place
from faults.search import Search

NUM_TIMES = 3


def replace_node(place: Place) -> Outcome:
    """The node on which a cell is trained dies with all its processes, and another one joins.

    A cluster of processes on this machine: a head that runs no unit, and a worker.
    """
    seconds = 0.0
    for number in range(NUM_TIMES):
        with tempfile.TemporaryDirectory(prefix="nodes") as temporary:
            os.environ.setdefault("RAY_AUTH_MODE", "disabled")
            cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "temp_dir": temporary})
            try:
                seconds += _search(place, number, cluster)
            finally:
                cluster.shutdown()
    return Outcome(NUM_TIMES, NUM_TIMES, seconds)


def _search(place: Place, number: int, cluster: Cluster) -> float:
    """The seconds of work that were lost."""
    worker = cluster.add_node(num_cpus=1)
    resources = {"address": cluster.address, "max_concurrent": 1, "max_failures": 50}
    with Search(place.folder / str(number), {"resources": resources}) as search:
        search.start()
        wanted = place.rng.randint(1, 3)  # a cell of three: the first, the second, the third that is trained
        search.wait_until(lambda: bool(search.checkpoints()) and _num_cells_done(search) == wanted - 1)
        seconds = search.seconds_at_risk()
        cluster.remove_node(worker, allow_graceful=False)
        cluster.add_node(num_cpus=1)
        search.finish()
        place.check(search)
    return seconds


def _num_cells_done(search: Search) -> int:
    return sum("block_" in str(path) for path in search.done())
