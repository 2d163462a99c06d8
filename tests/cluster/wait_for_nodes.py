"""Waits until a number of nodes have joined the cluster: `ray submit cluster.yaml wait_for_nodes.py NUMBER`."""

import sys
import time

import ray

ray.init(address="auto", log_to_driver=False, logging_level="error")
deadline = time.monotonic() + 180
while (alive := sum(node["Alive"] for node in ray.nodes())) < int(sys.argv[1]):
    if time.monotonic() > deadline:
        sys.exit(f"only {alive} of {sys.argv[1]} nodes joined")
    time.sleep(0.5)
