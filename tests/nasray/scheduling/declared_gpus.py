"""Units on declared GPUs: tells as JSON which unit was where, and when. Run by `test_placement.py`."""

import json
import os
import sys
import time
from pathlib import Path

import ray
from ray import tune
from ray.cluster_utils import Cluster

from nasray.cluster.cluster import ray_cluster
from nasray.cluster.local_ray import local_ray
from nasray.scheduling.placement import bundle, check_resources, chooser, num_slots
from nasray.scheduling.schedule import LatestFirst, ReadyUnits, run_trials
from nasray.scheduling.unit import Unit
from nasray.search_spaces.settings import SpaceConfig
from nasray.settings.resources import ResourcesConfig
from nasray.trainables.features.units import FeatureManifestSpec
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.settings.features import FeatureConfig
from nasray.trainables.settings.teacher import TeacherConfig
from nasray.trainables.settings.training import TrainConfig
from nasray.trainables.teacher.unit import TeacherSpec

FOLDER = Path(sys.argv[2])
INPUTS = SearchInputs(
    seed=0,
    data=DataConfig(),
    search_space=SpaceConfig(source="digits"),
    compute=ComputeConfig(device="cpu"),
    teacher=TeacherConfig(source="largest", train=TrainConfig()),
    features=FeatureConfig(),
    teacher_folder=FOLDER / "teacher",
    features_root=FOLDER / "features",
)


def spec(name, kind=FeatureManifestSpec, **compute):
    """A unit of a kind, which is not run."""
    inputs = INPUTS.model_copy(update={"compute": ComputeConfig(device="cpu").model_copy(update=compute)})
    if kind is TeacherSpec:
        return TeacherSpec(name=name, folder=FOLDER / name, inputs=inputs)
    return FeatureManifestSpec(name=name, folder=FOLDER / name, inputs=inputs, split="train")


def stay(config, folder, peers):
    """What a trial does: it stays until so many have started, and a moment longer, and notes where."""
    seen = {"gpus": ray.get_gpu_ids(), "node": ray.get_runtime_context().get_node_id(), "start": time.time()}
    seen["visible"] = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    name = config["spec"]["name"]
    (folder / f"{name}.started").touch()
    deadline = time.monotonic() + 100
    while len(list(folder.glob("*.started"))) < peers and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.4)
    (folder / f"{name}.json").write_text(json.dumps({"name": name, **seen, "end": time.time()}))
    tune.report({"done": 1})


def run(specs, resources, peers):
    """Where the units were, run by the schedule, of which so many are expected at once."""
    by_name = {spec.name: spec for spec in specs}
    trainable = tune.with_resources(
        tune.with_parameters(stay, folder=FOLDER, peers=peers),
        lambda config: bundle(by_name[config["spec"]["name"]], resources),
    )
    searcher = ReadyUnits([Unit(spec) for spec in specs], set(), chooser(resources))
    with ray_cluster(resources):
        run_trials(searcher, LatestFirst(), len(specs), "run", resources, FOLDER / "tune", [], trainable)
    return [json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))]


def on_four_gpus():
    """Units with 0.4 of a GPU each, beside some with whole ones, on a node of four."""
    resources = ResourcesConfig(gpus_per_unit=0.4, gpus_by_kind={"teacher": 1})
    shares = [spec(f"share_{number}") for number in range(12)]
    whole = [spec(f"whole_{number}", TeacherSpec) for number in range(2)]
    with local_ray(num_cpus=9, num_gpus=4):
        slots = {
            share: num_slots(spec("any"), ResourcesConfig(gpus_per_unit=share)) for share in (0.1, 0.4, 1)
        }
        return {"slots": slots, "seen": run([*whole, *shares], resources, peers=6)}


def on_unlike_nodes():
    """Units on a cluster of two nodes, of which one has two GPUs."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 3, "num_gpus": 0})
    try:
        cluster.add_node(num_cpus=3, num_gpus=2, resources={"accelerator_type:T4": 1})
        ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
        cluster.wait_for_nodes()
        refused = [
            _refusal(ResourcesConfig(gpus_per_unit=1, accelerator_type="A100")),
            _refusal(ResourcesConfig(gpus_per_unit=3), num_processes=3),
            _refusal(ResourcesConfig(), num_threads=4),
            _refusal(ResourcesConfig(), device="cuda"),
        ]
        slots = [
            num_slots(spec("any"), ResourcesConfig()),
            num_slots(spec("any"), ResourcesConfig(gpus_per_unit=0.5)),
            num_slots(spec("any", num_threads=2), ResourcesConfig()),
            num_slots(spec("any", TeacherSpec, num_processes=2), ResourcesConfig(gpus_per_unit=2)),
        ]
        resources = ResourcesConfig(gpus_per_unit=0.5, accelerator_type="T4")
        check_resources([spec("any")], resources)
        seen = run([spec(f"gpu_{number}") for number in range(5)], resources, peers=3)
        gpu_node = next(node["NodeID"] for node in ray.nodes() if node["Resources"].get("GPU"))
        ray.shutdown()
    finally:
        cluster.shutdown()
    return {"refused": refused, "slots": slots, "seen": seen, "gpu_node": gpu_node}


def _refusal(resources, **compute):
    try:
        check_resources([spec("unit", TeacherSpec, **compute)], resources)
    except ValueError as error:
        return str(error)
    return None


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    print(json.dumps({"gpus": on_four_gpus, "nodes": on_unlike_nodes}[sys.argv[1]]()))  # noqa: T201
