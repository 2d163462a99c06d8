"""RUN as commands take it: a folder, or the URL of a run in a store, brought here and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nasray.storage.mirror import Mirror
from nasray.storage.store import is_url, split_url, staging_folder

_TABLES = (".parquet", ".json", ".yaml")


@contextmanager
def opened(run: str, *, tables_only: bool = False) -> Iterator[Path]:
    """The folder of a run; of one in a store, that in which its files are worked on, brought back there at the end.

    Args:
        run: A folder, or the URL of a run in a store.
        tables_only: Whether tables and what describes them are enough, without weights.

    Raises:
        ValueError: There is no such store.
    """
    if not is_url(run):
        yield Path(run)
        return
    url, name = split_url(run)
    mirror = Mirror.create(url, staging_folder(url))
    folder = mirror.folder / name
    mirror.pull(folder, wanted=lambda file: file.suffix in _TABLES or not tables_only)
    yield folder
    mirror.push(folder)
