"""Before anything runs on several nodes: each must see the storage, the data, the user's modules, the same versions."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from nasray.storage.mirror import Mirror
from nasray.storage.store import is_url, join_url, split_url
from search_spaces.atomic_file import write_text
from trainables.units import Spec, parse_spec

_PACKAGES = ("nasray", "torch", "torchvision", "numpy")


class ClusterCheck:
    """Holds each node of the cluster that is joined to what this process sees, each node once.

    Args:
        storage: The folder that all nodes must see, or that in which each works on the files of a store.
    """

    def __init__(self, storage: Path) -> None:
        self._storage = storage.absolute()
        self._checked: set[str] = set()

    def check(self, spec: Spec) -> None:
        """Check the nodes that joined since the last call; a cluster of one node needs none.

        Args:
            spec: One of the units to run, which tells data, modules and checkpoints.

        Raises:
            ValueError: A node lacks something; one line per node, with the node's address and what it lacks.
        """
        nodes = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
        unchecked = [node_id for node_id in nodes if node_id not in self._checked]
        if len(nodes) == 1 or not unchecked:
            return
        with _marker(self._storage) as (marker, content):
            expected = {
                "marker": content,
                "staging": str(self._storage),
                "sources": spec.inputs.sources,
                "versions": _versions(),
            }
            tasks = [
                ray.remote(num_cpus=0, max_retries=1)(lacking)
                .options(scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False))
                .remote(marker, spec.model_dump(mode="json"), expected)
                for node_id in unchecked
            ]
            answers = zip(unchecked, map(_answer, tasks), strict=True)
            told = [f"  {nodes[node_id]}: {text}" for node_id, text in answers if text]
        if told:
            raise ValueError("each node of the cluster must see what this one sees, but\n" + "\n".join(told))
        self._checked.update(unchecked)


def _answer(task: Any) -> str | None:
    """What the node lacks, or why it could not be asked."""
    try:
        return ray.get(task)
    except ray.exceptions.RayError as error:
        return f"the check did not run there: {str(error).strip().splitlines()[-1]}"


def lacking(marker: str, spec: dict[str, Any], expected: dict[str, Any]) -> str | None:
    """What this node lacks, or the first of several things, in one line; None: nothing. Runs on the node itself.

    Args:
        marker: A file in the storage, or its URL.
        spec: A unit, as plain data.
        expected: The marker's content, the folder in which a store's files are worked on, the digests of the files
            behind the config's names, the packages' versions, as the driver sees them.
    """
    return next(_differences(marker, spec, expected), None)


def _differences(marker: str, plain: dict[str, Any], expected: dict[str, Any]) -> Iterator[str]:
    if is_url(marker):
        yield from _lacking_of_store(*split_url(marker), Path(expected["staging"]), expected["marker"])
    elif not (path := Path(marker)).is_file() or path.read_text(encoding="utf-8") != expected["marker"]:
        yield (
            f"storage.root must be a folder that all nodes share, but {path.parent} is another one there, or none: "
            "mount it there, or set storage.root, which may be an object store's URL (on a cluster of `ray up`, "
            "NASRAY_STORAGE in its file)"
        )
    versions = _versions()
    for name, wanted in expected["versions"].items():
        if versions[name] != wanted:
            yield f"{name} must be {wanted}, as here, but is {versions[name]} there: install it again with `ray up`"
    inputs = parse_spec(plain).inputs
    try:
        sources, _ = inputs.sources, inputs.images
    except (ValueError, OSError) as error:
        yield f"{error} (see file_mounts in the cluster's file)"
        return
    for name, digest in expected["sources"].items():
        if sources[name] != digest:
            yield f"the file of {name} differs from the one here: bring it there with `ray up`"


def _lacking_of_store(url: str, name: str, staging: Path, content: str) -> Iterator[str]:
    """What of a store a node cannot reach."""
    try:
        found = Mirror.create(url, staging).store.read(name)
    except (OSError, ValueError) as error:
        yield (
            f"storage.root must be a store that all nodes reach, and {staging} a folder each can make, but {error} "
            "(credentials and endpoint must be in the environment in which `ray start` ran)"
        )
        return
    if found != content.encode():
        yield f"storage.root must be the same store for all nodes, but {url} is another one there: see AWS_ENDPOINT_URL"


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _PACKAGES}


@contextmanager
def _marker(storage: Path) -> Iterator[tuple[str, str]]:
    """A file in the storage whose content no other folder's file has, for as long as it is needed."""
    content = secrets.token_hex(16)
    path = storage / f".seen-{content[:8]}"
    mirror = Mirror.of(path)
    if mirror is None:
        write_text(path, content)
        remove: Callable[[], None] = path.unlink
    else:
        mirror.store.write(path.name, content.encode())
        remove = partial(mirror.store.delete, path.name)
    try:
        yield str(path) if mirror is None else join_url(mirror.url, path.name), content
    finally:
        remove()
