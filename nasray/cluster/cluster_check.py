"""The check of a node before a unit runs there: storage, data, the user's modules, versions."""

import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from nasray.errors import UserError
from nasray.search_spaces.files.atomic_file import write_text
from nasray.storage.mirror import Mirror
from nasray.trainables.inputs import UnitSpec
from nasray.trainables.units import parse_spec

_PACKAGES = ("nasray", "torch", "torchvision", "numpy")
_SECONDS_TO_ANSWER = 600.0
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
        sources: The names in the config that files are behind, each with its file's digest.
        versions: The packages' versions.
    """

    storage: Path
    url: str | None
    marker: str
    content: str
    sources: frozenset[tuple[str, str]]
    versions: dict[str, str]

    @property
    def mirror(self) -> Mirror | None:
        """The mirror of the store on the node that this runs on."""
        return None if self.url is None else Mirror.create(self.url, self.storage)

    def lacking(self, specs: Sequence[UnitSpec]) -> str | None:
        """What the node that this runs on lacks for the units, or the first of several things, in one line."""
        found = chain([self.lacking_storage()], map(self.lacking_for, specs))
        return next((text for text in found if text is not None), None)

    def lacking_storage(self) -> str | None:
        """What is wrong with the storage, as the node that this runs on sees it; None: nothing."""
        if self.url is None:
            path = self.storage / self.marker
            if path.is_file() and path.read_text(encoding="utf-8") == self.content:
                return None
            return (
                f"storage.root must be a folder that all nodes share, but {self.storage} is another one there, or "
                "none: mount it there, or set storage.root, which may be an object store's URL (on a cluster of "
                "`ray up`, NASRAY_STORAGE in its file)"
            )
        try:
            found = Mirror.create(self.url, self.storage).store.read(self.marker)
        except (OSError, ValueError) as error:
            return (
                f"storage.root must be a store that all nodes reach, and {self.storage} a folder each can make, but "
                f"{error} (credentials and endpoint must be in the environment in which `ray start` ran)"
            )
        if found == self.content.encode():
            return None
        return (
            f"storage.root must be the same store for all nodes, but {self.url} is another one there: see "
            "AWS_ENDPOINT_URL"
        )

    def lacking_for(self, spec: UnitSpec) -> str | None:
        """What else the node that this runs on lacks for a unit: packages, modules, data; None: nothing."""
        versions = _versions()
        for name, wanted in self.versions.items():
            if versions[name] != wanted:
                found = versions[name]
                return (
                    f"{name} must be {wanted}, as here, but is {found} there: install it again with `ray up`"
                )
        try:
            sources, _ = spec.sources, spec.inputs.images
        except (ValueError, OSError) as error:
            return f"{error} (see file_mounts in the cluster's file)"
        for name, digest in sources.items():
            if (name, digest) not in self.sources:
                return f"the file of {name} differs from the one here: bring it there with `ray up`"
        return None


@dataclass(frozen=True, slots=True)
class NodeCheck:
    """Checks, in a unit's own process, a node that joined after the others were checked.

    Attributes:
        expected: What it must see.
        checked: The nodes that need it no more, by Ray's ids.
        pauses: Seconds after which a storage that is not there is looked for again: it may be away for a moment.
    """

    expected: Expected
    checked: frozenset[str]
    pauses: tuple[float, ...] = (5.0, 15.0, 40.0)

    def lacking(self, spec: UnitSpec) -> str | None:
        """What this node lacks, behind its address; None: nothing."""
        if ray.get_runtime_context().get_node_id() in self.checked:
            return None
        text = self._lacking_storage() or self.expected.lacking_for(spec)
        return None if text is None else _line(ray.util.get_node_ip_address(), text)

    def _lacking_storage(self) -> str | None:
        if self.expected.content in _reached:
            return None
        text = self.expected.lacking_storage()
        for pause in self.pauses:
            if text is None:
                break
            time.sleep(pause)
            text = self.expected.lacking_storage()
        if text is None:
            _reached.add(self.expected.content)
        return text


_reached = set[str]()  # contents of markers that this process found


class ClusterCheck:
    """Holds each node of the cluster to what this process sees.

    Args:
        run: A run's folder, whose lock this process holds.
    """

    def __init__(self, run: Path) -> None:
        self._run = run.absolute()
        self._checked: set[str] = set()

    @contextmanager
    def checked(self, specs: Sequence[UnitSpec]) -> Iterator[NodeCheck]:
        """Check the nodes that joined since the last call; gives what checks, within, those that join later.

        A cluster's only node is this one, and needs no check.

        Args:
            specs: The units to run, which tell data, modules and checkpoints.

        Raises:
            UserError: A node lacks something; one line per node, with the node's address and what it lacks.
        """
        with _marker(self._run) as (marker, content):
            mirror = Mirror.of(self._run)
            expected = Expected(
                storage=self._run.parent if mirror is None else mirror.folder,
                url=None if mirror is None else mirror.url,
                marker=marker,
                content=content,
                sources=frozenset(item for spec in specs for item in spec.sources.items()),
                versions=_versions(),
            )
            self._check(expected, _representatives(specs))
            yield NodeCheck(expected, frozenset(self._checked))

    def _check(self, expected: Expected, specs: Sequence[UnitSpec]) -> None:
        nodes = _alive()
        unchecked = [node_id for node_id in nodes if node_id not in self._checked]
        if unchecked and len(nodes) > 1:
            plain = [spec.model_dump(mode="json") for spec in specs]
            tasks = [
                ray.remote(num_cpus=0, max_retries=1)(_lacking)
                .options(scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False))
                .remote(expected, plain)
                for node_id in unchecked
            ]
            ray.wait(tasks, num_returns=len(tasks), timeout=_SECONDS_TO_ANSWER)
            answers = dict(zip(unchecked, map(_answer, tasks), strict=True))
            alive = _alive()  # some may have left meanwhile
            unchecked = [node_id for node_id in unchecked if node_id in alive]
            told = [_line(nodes[node_id], text) for node_id in unchecked if (text := answers[node_id])]
            if told:
                raise UserError(LACKING + "\n".join(told))
        self._checked.update(unchecked)


def _alive() -> dict[str, str]:
    """The addresses of the nodes that are there, by Ray's ids."""
    return {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}


def _representatives(specs: Sequence[UnitSpec]) -> list[UnitSpec]:
    """Units of which each reads something that those before it do not."""
    chosen: list[UnitSpec] = []
    for spec in specs:
        sources, data = spec.sources.items(), spec.inputs.data
        if not any(data == one.inputs.data and sources <= one.sources.items() for one in chosen):
            chosen.append(spec)
    return chosen


def _line(address: str, text: str) -> str:
    return f"  {address}: {text}"


def _lacking(expected: Expected, plain: list[dict[str, Any]]) -> str | None:
    """What this node lacks for units, given as plain data; it may lack what they name."""
    return expected.lacking([parse_spec(one) for one in plain])


def _answer(task: Any) -> str | None:
    """What the node lacks, or why it could not be asked."""
    try:
        return ray.get(task, timeout=0)
    except ray.exceptions.GetTimeoutError:
        return f"it gave no answer for {_SECONDS_TO_ANSWER:.0f} s: a disk that hangs may be why"
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
            yield path.relative_to(run.parent).as_posix(), content
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
