"""RUN as commands take it: a folder, or the URL of a run in a store, which is brought here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nasray.errors import UserError
from nasray.storage.mirror import Mirror
from nasray.storage.run_lock import held
from nasray.storage.store import Store
from nasray.storage.store_lock import StoreLock
from nasray.storage.urls import is_url, names_place, split_url, staging_folder

REPORT, EXPORTS = "report.html", "exports"
_CONFIG = "config.yaml"
_TABLES = (".parquet", ".json", ".yaml")


@contextmanager
def opened_to_read(run: str, *, tables_only: bool = False, leaves: str | None = None) -> Iterator[Path]:
    """The folder of a run for a command that makes at most one thing in it; one in a store as the store has it.

    A run in a store is read in a folder of its own, where no launch works whose files are not pushed yet. Of what the
    command does there, what it `leaves` is brought to the store if it ends well, and nothing else.

    Args:
        run: A folder, or the URL of a run in a store.
        tables_only: Whether tables and what describes them are enough, without weights.
        leaves: REPORT or EXPORTS; None: nothing, so that a launch may work in the run meanwhile.

    Raises:
        UserError: There is no such run, or a launch works in it, and the command is to leave something.
    """
    if not is_url(run):
        yield Path(run)
        return
    url, name = _split(run)
    staging = staging_folder(url)
    mirror = Mirror.create(url, staging.with_name(f"{staging.name}_read"))
    folder = mirror.folder / name
    made = [folder / REPORT, folder / EXPORTS]  # which another command may be making
    if leaves is None:
        _bring(mirror, folder, made, tables_only)
        yield folder
        return
    with held(StoreLock(mirror.store, name)) as is_lost:
        _bring(mirror, folder, made, tables_only)
        mirror.pull(folder / leaves, unpushed="goes")
        yield folder
        if not is_lost():
            mirror.push(folder / leaves)


def opened_to_work(run: str) -> Path:
    """The folder of a run for a command that is a launch of its own, which locks the run and pushes what it did.

    Args:
        run: A folder, or the URL of a run in a store.

    Raises:
        UserError: There is no such run.
    """
    if not is_url(run):
        return Path(run)
    from nasray.storage.staged import pull_run, unpushed_of_launch  # noqa: PLC0415  (torch, which reading does without)

    url, name = _split(run)
    mirror = Mirror.create(url, staging_folder(url))
    folder = mirror.folder / name
    # All else may be what units of a launch elsewhere are just writing on this machine: it is met when the run is held.
    mirror.pull(folder / _CONFIG, unpushed=unpushed_of_launch(mirror, folder))
    pull_run(mirror, folder)
    return folder


def _split(run: str) -> tuple[str, str]:
    """The store of a run, and the run's name in it.

    Raises:
        UserError: The URL names no run, or one that is not there.
    """
    url, name = split_url(run)
    if not name or not names_place(url):
        raise UserError(
            f"RUN must be the URL of a run, such as s3://bucket/runs/digits, got {run}: add its name"
        )
    if Store(url).entry(f"{name}/{_CONFIG}") is None:
        raise UserError(
            f"RUN must be the URL of a run, with a {_CONFIG}; {run} has none: see storage.root and name"
        )
    return url, name


def _bring(mirror: Mirror, folder: Path, made: list[Path], tables_only: bool) -> None:
    mirror.pull(
        folder,
        wanted=lambda file: (
            (file.suffix in _TABLES or not tables_only)
            and not any(file.is_relative_to(path) for path in made)
        ),
        unpushed="goes",
    )
