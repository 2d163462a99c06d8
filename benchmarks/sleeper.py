"""The trial of `sleeping_schedule.py`, which imports little, since many processes on few cores import it."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray import tune

MET = "met"


def sleep(
    config: dict[str, Any],
    *,
    seconds: Mapping[str, float],
    reports: Mapping[str, int],
    meeting: Path,
    num_processes: int,
) -> None:
    """Sleep as long as the trial's unit takes, and report after each of its epochs.

    Each process first waits in the folder `meeting` until so many of them have come, and reports that as well.
    """
    here = meeting / str(os.getpid())
    if not here.exists():
        here.touch()
        while len(list(meeting.iterdir())) < num_processes:
            time.sleep(0.1)
        tune.report({MET: True})
    name = config["spec"]["name"]
    for epoch in range(reports[name]):
        time.sleep(seconds[name] / reports[name])
        tune.report(
            {
                "epoch": epoch + 1,
                "num_epochs": reports[name],
                "train_loss": 0.5,
                "held_out_relative_l1": 0.5,
                "samples_per_second": 100.0,
                "data_wait_share": 0.1,
                "seconds": seconds[name] / reports[name],
            }
        )
