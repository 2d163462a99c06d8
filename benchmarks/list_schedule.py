"""The time that units of work take on a number of GPUs where starting them costs nothing."""

import heapq
from collections.abc import Callable, Mapping, Sequence

from nasray.scheduling.unit import Unit


def ideal_seconds(
    units: Sequence[Unit],
    seconds: Mapping[str, float],
    num_gpus: int,
    first: Callable[[Unit], float] = lambda unit: unit.cost,
) -> float:
    """The makespan of the rule by which units are scheduled: whenever a GPU is free, the ready unit of largest `first`.

    Source: list scheduling (Graham, 1966).

    Args:
        units: Each starts when all that it needs of them is done.
        seconds: How long each takes, by name.
        num_gpus: How many run at once.
        first: What decides among those that are ready.
    """
    names = {unit.name for unit in units}
    waiting = {unit.name: set(unit.needs) & names for unit in units}
    by_need: dict[str, list[Unit]] = {}
    for unit in units:
        for name in waiting[unit.name]:
            by_need.setdefault(name, []).append(unit)
    ready = [(-first(unit), unit.name) for unit in units if not waiting[unit.name]]
    heapq.heapify(ready)
    running: list[tuple[float, str]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < num_gpus:
            _, name = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds[name], name))
        now, ended = heapq.heappop(running)
        for unit in by_need.get(ended, ()):
            waiting[unit.name].discard(ended)
            if not waiting[unit.name]:
                heapq.heappush(ready, (-first(unit), unit.name))
    return now


def bound_seconds(units: Sequence[Unit], seconds: Mapping[str, float], num_gpus: int) -> float:
    """What no schedule can be faster than: all work spread evenly, and the longest chain of units that need each other.

    Args:
        units: Each comes after those that it needs.
        seconds: How long each takes, by name.
        num_gpus: How many run at once.
    """
    ends: dict[str, float] = {}
    for unit in units:
        ends[unit.name] = max((ends.get(name, 0.0) for name in unit.needs), default=0.0) + seconds[unit.name]
    return max(sum(seconds[unit.name] for unit in units) / num_gpus, *ends.values())
