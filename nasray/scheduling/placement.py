"""Placement of units: what each takes of a cluster's nodes, and how many there is room for."""

from collections.abc import Callable, Mapping, Sequence

import ray
from ray import tune

from nasray.errors import UserError
from nasray.settings.resources import ResourcesConfig
from nasray.trainables.inputs import UnitSpec

_SCALE = 10_000
_ACCELERATOR_SHARE = 0.001  # what Ray itself takes of "accelerator_type:NAME", of which a node has 1


def bundle(spec: UnitSpec, resources: ResourcesConfig) -> tune.PlacementGroupFactory:
    """What a unit takes of a node."""
    return tune.PlacementGroupFactory([_taken(spec, resources)])


def describe(spec: UnitSpec, resources: ResourcesConfig) -> str:
    """What a unit takes, in words."""
    return _text(_taken(spec, resources))


def has_node(spec: UnitSpec, resources: ResourcesConfig) -> bool:
    """Whether a node that is there now could run the unit, if nothing else were on it."""
    return any(node.take(_taken(spec, resources)) for node in _nodes())


def num_slots(spec: UnitSpec, resources: ResourcesConfig) -> int:
    """How many units like this may run at once: as many as the cluster's nodes hold now, or as the config says."""
    if resources.max_concurrent is not None:
        return resources.max_concurrent
    nodes, wanted, number = _nodes(), _taken(spec, resources), 0
    while any(node.take(wanted) for node in nodes):
        number += 1
    return max(1, number)


def chooser(
    resources: ResourcesConfig,
) -> Callable[[Sequence[UnitSpec], Sequence[UnitSpec]], UnitSpec | None]:
    """Tells which of several units starts next to those that run: the first, if there is room for it.

    Else a later one may start on a node that could hold none of those before it, so that these do not wait for it.
    There is room where a node has it, or as the config says. Where the others lie is not asked, but supposed: the
    largest first, each on the first node that holds it. If that is wrong the unit waits a little in Ray's queue.
    """

    def choose(running: Sequence[UnitSpec], candidates: Sequence[UnitSpec]) -> UnitSpec | None:
        if resources.max_concurrent is not None:
            return candidates[0] if len(running) < resources.max_concurrent else None
        if not running:
            return candidates[0]
        nodes, taken = _nodes(), [_taken(one, resources) for one in running]
        for wanted in sorted(
            taken, key=lambda amounts: (amounts.get("GPU", 0), amounts["CPU"]), reverse=True
        ):
            any(node.take(wanted) for node in nodes)
        for spec in candidates:
            wanted = _taken(spec, resources)
            if any(node.take(wanted) for node in nodes):
                return spec
            nodes = [node for node in nodes if not node.could_take(wanted)]
            if not nodes:
                return None
        return None

    return choose


def check_resources(
    specs: Sequence[UnitSpec], resources: ResourcesConfig, earlier: Sequence[Mapping[str, float]] = ()
) -> None:
    """Refuse units that no node could ever run, instead of waiting for ever.

    Args:
        specs: The units.
        resources: What the run may use.
        earlier: What nodes had that were there before: such ones may come again, as where machines are rented.

    Raises:
        UserError: A unit asks for more CPUs or GPUs than a node has, for another kind of GPU, or computes on a GPU and
            asks for none.
    """
    nodes = [*node_resources(), *earlier]
    for spec in specs:
        wanted = _taken(spec, resources)
        if spec.inputs.compute.device == "cuda" and "GPU" not in wanted:
            raise UserError(
                f"compute.device: cuda must go with GPUs for each unit, {spec.name} takes none: set "
                "resources.gpus_per_unit=1, say, or compute.device=auto"
            )
        if not any(Node(node).take(wanted) for node in nodes):
            raise UserError(
                f"a node must have what a unit takes: {spec.name} takes {describe(spec, resources)}, the nodes have "
                f"{' or '.join(sorted(set(map(_text, nodes))))}: lower compute.num_threads, compute.num_workers, "
                "compute.num_processes or resources.gpus_per_unit, see resources.accelerator_type, or start such a "
                "node before (of a cluster that scales itself at least one, by min_workers)"
            )


class Node:
    """What is free on a node.

    A share of a GPU lies on one device, the fullest that holds it; whole ones are devices that nobody shares. So does
    Ray place them.
    """

    def __init__(self, resources: Mapping[str, float]) -> None:
        """A node of so much, with nothing on it."""
        self._resources = resources
        self._free = _exactly(resources)
        self._gpus = [_SCALE] * (self._free.pop("GPU", 0) // _SCALE)

    def take(self, wanted: Mapping[str, float]) -> bool:
        """Whether there was room for so much, which is now taken."""
        amounts = _exactly(wanted)
        share = amounts.pop("GPU", 0)
        devices = self._devices(share)
        if devices is None or any(self._free.get(kind, 0) < amount for kind, amount in amounts.items()):
            return False
        for kind, amount in amounts.items():
            self._free[kind] -= amount
        for device in devices:
            self._gpus[device] -= min(share, _SCALE)
        return True

    def could_take(self, wanted: Mapping[str, float]) -> bool:
        """Whether there is room for so much when nothing else is on the node."""
        return Node(self._resources).take(wanted)

    def _devices(self, wanted: int) -> list[int] | None:
        """Where so much of GPUs is free, as positions; None: nowhere."""
        if wanted == 0:
            return []
        fitting = [device for device, free in enumerate(self._gpus) if free >= min(wanted, _SCALE)]
        number = max(1, wanted // _SCALE)
        fullest = sorted(fitting, key=lambda device: self._gpus[device])[:number]
        return fullest if len(fullest) == number else None


def _taken(spec: UnitSpec, resources: ResourcesConfig) -> dict[str, float]:
    compute = spec.inputs.compute
    taken = {"CPU": float((compute.num_threads + compute.num_workers) * spec.num_processes)}
    gpus = _gpus(spec, resources)
    if gpus:
        taken["GPU"] = gpus
        if resources.accelerator_type is not None:
            taken[f"accelerator_type:{resources.accelerator_type}"] = _ACCELERATOR_SHARE
    return taken


def _gpus(spec: UnitSpec, resources: ResourcesConfig) -> float:
    """The GPUs that a unit takes: one of several processes as many as these, another at most one."""
    return min(resources.gpus_by_kind.get(spec.kind, resources.gpus_per_unit), spec.num_processes)


def node_resources() -> list[dict[str, float]]:
    """What each node has that is there now."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _nodes() -> list[Node]:
    """The nodes that are alive, with nothing on them."""
    return [Node(resources) for resources in node_resources()]


def _exactly(amounts: Mapping[str, float]) -> dict[str, int]:
    """Amounts in Ray's own unit, whose sums are exact: 0.1 of a GPU fits ten times."""
    return {kind: round(amount * _SCALE) for kind, amount in amounts.items()}


def _text(amounts: Mapping[str, float]) -> str:
    """Amounts in words: CPUs, GPUs and which ones."""
    counted = [f"{amounts[kind]:g} {kind}" for kind in ("CPU", "GPU") if amounts.get(kind)]
    named = [kind.partition(":")[2] for kind in sorted(amounts) if kind.startswith("accelerator_type:")]
    return (", ".join(counted) or "no CPUs") + (f" ({', '.join(named)})" if named else "")
