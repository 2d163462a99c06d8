"""A local Ray one of whose own processes is killed, as by a system that is out of memory."""

import subprocess
import sys
import time

import pytest

# A unit that takes long is waited for when a part dies.
SCRIPT = """
import sys, threading, time
import psutil
import ray
from nasray.cluster.local_ray import local_ray
from nasray.errors import SearchFailedError

def kill():
    time.sleep(1)
    (part,) = [child for child in psutil.Process().children() if child.name().startswith(sys.argv[1])]
    part.kill()

try:
    with local_ray(num_cpus=1):
        threading.Thread(target=kill).start()
        ray.get(ray.remote(lambda: time.sleep(300)).remote())
except SearchFailedError as error:
    sys.exit(str(error))
"""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("process", "part"), [("raylet", "raylet"), ("gcs_server", "GCS")])
def test_a_search_ends_when_a_part_of_its_ray_dies(process, part):
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, process], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 1
    assert f"Ray's {part} on this machine died" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - start < 75
