"""Files below a URL, as pyarrow's filesystems give them: s3://bucket/prefix, gs://..., file:///folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasray.errors import UserError
from nasray.search_spaces.files.atomic_file import replacing

_CHUNK_BYTES = 32 << 20  # a request each, where the store is far


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as the store lists it.

    Attributes:
        num_bytes: Its size.
        seconds: When it was written by the store's clock, in whole seconds, as coarse as stores tell.
    """

    num_bytes: int
    seconds: int


class Store:
    """The files below a URL, by their names relative to it.

    Credentials, region and endpoint come from the environment, as pyarrow takes them: AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL, `~/.aws`, or the machine's role; region, endpoint and
    scheme may stand in the URL's query, too (`?endpoint_override=host:port&scheme=http`).

    Raises:
        UserError: pyarrow knows no such store.
    """

    def __init__(self, url: str) -> None:
        from pyarrow import fs  # noqa: PLC0415  (needed only where there is a store)

        self.url = url
        try:
            self._files, base = fs.FileSystem.from_uri(url)
        except (ValueError, OSError, NotImplementedError) as error:
            raise UserError(
                f"storage.root must be the URL of a store that pyarrow can open, got {url}: {error}"
            ) from None
        self._base = base.rstrip("/")
        self._fs: Any = fs

    def entries(self, name: str) -> dict[str, Entry]:
        """The file of that name, or all files below the folder of that name; none where there is neither."""
        kinds, path = self._fs.FileType, self._path(name)
        found = [self._files.get_file_info(path)]
        if found[0].type == kinds.Directory:
            found = self._files.get_file_info(
                self._fs.FileSelector(path, recursive=True, allow_not_found=True)
            )
        return {
            info.path.removeprefix(f"{self._base}/"): _entry(info)
            for info in found
            if info.type == kinds.File
        }

    def entry(self, name: str) -> Entry | None:
        """The file of that name, or None."""
        info = self._files.get_file_info(self._path(name))
        return _entry(info) if info.type == self._fs.FileType.File else None

    def read(self, name: str) -> bytes | None:
        """A small file's content, or None where there is none."""
        try:
            with self._files.open_input_stream(self._path(name)) as stream:
                return stream.read()
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, whole or not at all."""
        with self._whole(name) as path, self._files.open_output_stream(path) as stream:
            stream.write(content)

    def upload(self, path: Path, name: str) -> Entry:
        """Copy a local file to the store, whole or not at all; what it is there."""
        with self._whole(name) as destination:
            self._copy(str(path), destination, to_store=True)
        entry = self.entry(name)
        if entry is None:
            raise OSError(f"{name} was written to {self.url}, but is not there")
        return entry

    def download(self, name: str, path: Path) -> None:
        """Copy a file from the store, whole or not at all."""
        with replacing(path) as temporary:
            self._copy(self._path(name), str(temporary), to_store=False)

    def delete(self, name: str) -> None:
        """Delete a file, if it is there."""
        with suppress(FileNotFoundError):
            self._files.delete_file(self._path(name))

    def _copy(self, source: str, destination: str, *, to_store: bool) -> None:
        # Wholly outside of Python, so that Ctrl-C cannot leave half a file: pyarrow's streams are closed, and with that
        # their object finished, whatever happens in between.
        here = self._fs.LocalFileSystem()
        ends = (here, self._files) if to_store else (self._files, here)
        self._fs.copy_files(source, destination, *ends, chunk_size=_CHUNK_BYTES)

    @contextmanager
    def _whole(self, name: str) -> Iterator[str]:
        """Where to write a file that becomes `name`: an object is there when it is finished; a file must be moved."""
        path = self._path(name)
        if self._files.type_name != "local":
            yield path
            return
        folder, _, last = path.rpartition("/")
        self._files.create_dir(folder, recursive=True)
        temporary = f"{folder}/.{last}.{os.getpid()}"
        try:
            yield temporary
            self._files.move(temporary, path)
        except BaseException:
            with suppress(FileNotFoundError):
                self._files.delete_file(temporary)
            raise

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}" if name else self._base


def _entry(info: Any) -> Entry:
    return Entry(info.size, info.mtime_ns // 1_000_000_000)
