import threading
import time

import psutil
import pytest

from nasray.cluster.cluster_check import ClusterCheck
from nasray.planning.plan import plan_search
from nasray.planning.resolve import resolve
from nasray.run.folder import RunFolder
from nasray.scheduling.placement import bundle
from nasray.scheduling.schedule import run_schedule
from nasray.scheduling.unit import Unit
from nasray.settings.loading import load_config
from nasray.settings.resources import ResourcesConfig
from nasray.trainables.teacher.unit import TeacherSpec
from nasray.trainables.units import run_unit

TEACHER = {
    "source": "largest",
    "train": {"epochs": 8, "batch_size": 64, "optimizer": "adamw", "lr": 0.01},
}
WEIGHTS = "weights.safetensors"


def kill_one(killed, over):
    """Kill the first process that trains with a trial's own, some time after it started."""
    while not over.is_set():
        for process in psutil.Process().children(recursive=True):
            try:
                if "spawn_main" in " ".join(process.cmdline()):
                    time.sleep(3)
                    process.kill()
                    killed.append(process.pid)
                    return
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.1)


@pytest.mark.timeout(600)
@pytest.mark.slow
def test_a_unit_of_which_a_process_is_killed_starts_again(ray_of_two, tiny, tmp_path):
    """And leaves the bytes of one that was not disturbed."""
    requested = load_config(tiny(teacher=TEACHER, compute={"device": "cpu", "num_processes": 2}))
    _, inputs = resolve(requested, RunFolder.of(requested))
    spec = TeacherSpec.of(inputs.model_copy(update={"teacher_folder": tmp_path / "killed"}))
    assert spec.num_processes == 2
    killed, over = [], threading.Event()
    killer = threading.Thread(target=kill_one, args=(killed, over))
    killer.start()
    with ClusterCheck(tmp_path).checked([spec]) as nodes:
        failures = run_schedule([Unit(spec)], set(), ResourcesConfig(), tmp_path / "tune", nodes, [])
    over.set()
    killer.join()
    assert killed
    assert failures == {}
    undisturbed = TeacherSpec.of(inputs.model_copy(update={"teacher_folder": tmp_path / "undisturbed"}))
    for _ in run_unit(undisturbed):
        pass
    assert (spec.folder / WEIGHTS).read_bytes() == (undisturbed.folder / WEIGHTS).read_bytes()


def test_units_take_what_their_processes_need(tiny):
    """Trainings as many CPUs and GPUs as they have processes, all else one."""
    requested = load_config(
        tiny(
            compute={"num_processes": 2, "num_threads": 3},
            resources={"gpus_per_unit": 2, "gpus_by_kind": {"manifest": 0}, "accelerator_type": "T4"},
        )
    )
    resolved, inputs = resolve(requested, RunFolder.of(requested))
    units = [
        unit for stage in plan_search(resolved, RunFolder.of(resolved), inputs).values() for unit in stage
    ]
    taken = {unit.spec.kind: bundle(unit.spec, resolved.resources).bundles[0] for unit in units}
    kind = {"accelerator_type:T4": 0.001}
    assert taken["teacher"] == taken["block"] == {"CPU": 6, "GPU": 2, **kind}
    assert taken["features"] == {"CPU": 3, "GPU": 1, **kind}
    assert taken["manifest"] == {"CPU": 3}
