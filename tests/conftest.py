import os
import shutil
import tempfile


def pytest_configure(config):
    """Give each process of tests a Ray of its own, whatever others, or the user, have started."""
    config.ray_folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # short, since sockets' paths must be
    os.environ["RAY_TMPDIR"] = config.ray_folder
    os.environ.pop("RAY_ADDRESS", None)


def pytest_unconfigure(config):
    shutil.rmtree(config.ray_folder, ignore_errors=True)
