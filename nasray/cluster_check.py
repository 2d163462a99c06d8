"""Before a unit runs on a node: that must see the storage, the data, the user's modules, the same versions."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from nasray.storage.mirror import Mirror
from search_spaces.atomic_file import write_text
from trainables.units import Spec, parse_spec

_PACKAGES = ("nasray", "torch", "torchvision", "numpy")
_SEEN = ".seen"  # folder of the markers in a run's folder; hidden, so that no mirror takes it for results
LACKING = "each node of the cluster must see what this one sees, but\n"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a node must see, as the driver sees it.

    Attributes:
        storage: The folder that all nodes share, or that in which each works on the files of a store.
        url: The store, if there is one.
        marker: Name of a file below the storage.
        content: What stands in it, and in no other folder's.
        sources: Digests of the files behind the config's names.
        versions: The packages' versions.
    """

    storage: Path
    url: str | None
    marker: str
    content: str
    sources: dict[str, str]
    versions: dict[str, str]

    def lacking(self, spec: Spec) -> str | None:
        """What the node that this runs on lacks, or the first of several things, in one line; None: nothing.

        Args:
            spec: A unit, which tells data, modules and checkpoints.
        """
        return next(self._differences(spec), None)

    def _differences(self, spec: Spec) -> Iterator[str]:
        yield from self._lacking_of_folder() if self.url is None else self._lacking_of_store(self.url)
        versions = _versions()
        for name, wanted in self.versions.items():
            if versions[name] != wanted:
                yield f"{name} must be {wanted}, as here, but is {versions[name]} there: install it again with `ray up`"
        try:
            sources, _ = spec.inputs.sources, spec.inputs.images
        except (ValueError, OSError) as error:
            yield f"{error} (see file_mounts in the cluster's file)"
            return
        for name, digest in self.sources.items():
            if sources[name] != digest:
                yield f"the file of {name} differs from the one here: bring it there with `ray up`"

    def _lacking_of_folder(self) -> Iterator[str]:
        path = self.storage / self.marker
        if not path.is_file() or path.read_text(encoding="utf-8") != self.content:
            yield (
                f"storage.root must be a folder that all nodes share, but {self.storage} is another one there, or "
                "none: mount it there, or set storage.root, which may be an object store's URL (on a cluster of "
                "`ray up`, NASRAY_STORAGE in its file)"
            )

    def _lacking_of_store(self, url: str) -> Iterator[str]:
        try:
            found = Mirror.create(url, self.storage).store.read(self.marker)
        except (OSError, ValueError) as error:
            yield (
                f"storage.root must be a store that all nodes reach, and {self.storage} a folder each can make, but "
                f"{error} (credentials and endpoint must be in the environment in which `ray start` ran)"
            )
            return
        if found != self.content.encode():
            yield (
                f"storage.root must be the same store for all nodes, but {url} is another one there: see "
                "AWS_ENDPOINT_URL"
            )


@dataclass(frozen=True, slots=True)
class NodeCheck:
    """Checks, in a unit's own process, a node that joined after the others were checked.

    Attributes:
        expected: What it must see.
        checked: The nodes that need it no more, by Ray's ids.
    """

    expected: Expected
    checked: frozenset[str]

    def lacking(self, spec: Spec) -> str | None:
        """What this node lacks, behind its address; None: nothing."""
        if ray.get_runtime_context().get_node_id() in self.checked:
            return None
        text = self.expected.lacking(spec)
        return None if text is None else _line(ray.util.get_node_ip_address(), text)


class ClusterCheck:
    """Holds each node of the cluster to what this process sees.

    Args:
        run: A run's folder, whose lock this process holds.
    """

    def __init__(self, run: Path) -> None:
        self._run = run.absolute()
        self._checked: set[str] = set()

    @contextmanager
    def checked(self, spec: Spec) -> Iterator[NodeCheck]:
        """Check the nodes that joined since the last call; gives what checks, within, those that join later.

        A cluster's only node is this one, and needs no check.

        Args:
            spec: One of the units to run, which tells data, modules and checkpoints.

        Raises:
            ValueError: A node lacks something; one line per node, with the node's address and what it lacks.
        """
        with _marker(self._run) as (marker, content):
            mirror = Mirror.of(self._run)
            expected = Expected(
                storage=self._run.parent,
                url=None if mirror is None else mirror.url,
                marker=marker,
                content=content,
                sources=spec.inputs.sources,
                versions=_versions(),
            )
            self._check(expected, spec)
            yield NodeCheck(expected, frozenset(self._checked))

    def _check(self, expected: Expected, spec: Spec) -> None:
        nodes = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
        unchecked = [node_id for node_id in nodes if node_id not in self._checked]
        if len(nodes) > 1:
            tasks = [
                ray.remote(num_cpus=0, max_retries=1)(_lacking)
                .options(scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False))
                .remote(expected, spec.model_dump(mode="json"))
                for node_id in unchecked
            ]
            answers = zip(unchecked, map(_answer, tasks), strict=True)
            told = [_line(nodes[node_id], text) for node_id, text in answers if text]
            if told:
                raise ValueError(LACKING + "\n".join(told))
        self._checked.update(unchecked)


def _line(address: str, text: str) -> str:
    return f"  {address}: {text}"


def _lacking(expected: Expected, plain: dict[str, Any]) -> str | None:
    """What this node lacks for a unit, given as plain data; it may lack what that names."""
    return expected.lacking(parse_spec(plain))


def _answer(task: Any) -> str | None:
    """What the node lacks, or why it could not be asked."""
    try:
        return ray.get(task)
    except ray.exceptions.RayError as error:
        return f"the check did not run there: {str(error).strip().splitlines()[-1]}"


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _PACKAGES}


@contextmanager
def _marker(run: Path) -> Iterator[tuple[str, str]]:
    """A file below a run's folder, in the storage: its name there and its content; those of killed launches go."""
    content = secrets.token_hex(16)
    # A name that was never there: a shared disk may remember for a while what a name meant.
    path = run / _SEEN / content[:8]
    mirror = Mirror.of(run)
    if mirror is None:
        shutil.rmtree(path.parent, ignore_errors=True)
        write_text(path, content)
        try:
            yield str(path.relative_to(run.parent)), content
        finally:
            shutil.rmtree(path.parent, ignore_errors=True)
        return
    name = mirror.name(path)
    for old in mirror.store.entries(mirror.name(path.parent)):
        mirror.store.delete(old)
    mirror.store.write(name, content.encode())
    try:
        yield name, content
    finally:
        mirror.store.delete(name)
