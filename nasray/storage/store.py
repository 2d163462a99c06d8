"""Files below a URL, as pyarrow's filesystems give them: s3://bucket/prefix, gs://..., file:///folder."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from nasray.search_spaces.files.atomic_file import replacing

_CHUNK_BYTES = 32 << 20  # a request each, where the store is far
# The options of pyarrow's filesystems, as their URLs' queries have them, but for tenant_id, client_secret and the parts
# of a SAS token, which are or go with secrets. An option that a later pyarrow adds may be one, too.
_HARMLESS_OPTIONS = {
    *("scheme", "endpoint_override"),
    *("region", "allow_bucket_creation", "allow_bucket_deletion", "allow_delayed_open", "smart_defaults"),
    *("tls_ca_file_path", "tls_ca_dir_path", "tls_verify_certificates"),
    *("location", "project_id", "retry_limit_seconds"),
    *("blob_storage_authority", "dfs_storage_authority", "enable_tls", "background_writes"),
    *("credential_kind", "client_id"),
    *("user", "replication", "buffer_size", "default_block_size", "kerb_ticket"),
    "use_mmap",
}


def is_url(place: str) -> bool:
    """Whether a place is given as a URL, and not as a folder."""
    return "://" in place


def check_url(url: str) -> None:
    """Hold a URL to what may stand in a config.

    Raises:
        ValueError: It names no place, or holds a password or what may be one.
    """
    parts = urlsplit(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    # Before the @ of others stand containers and users.
    may_be_key = parts.password is not None or (parts.scheme == "s3" and parts.username is not None)
    if may_be_key or any("@" in value for _, value in options):
        raise ValueError(
            "must hold no keys or passwords, since it is kept beside the results, got some: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or what your store takes, in the environment instead"
        )
    if unknown := [name for name, _ in options if name not in _HARMLESS_OPTIONS]:
        raise ValueError(
            f"must have no options but {', '.join(sorted(_HARMLESS_OPTIONS))} behind its question mark, since it is "
            f"kept beside the results and others may be secrets, got {', '.join(unknown)}: set AZURE_CLIENT_SECRET, or "
            "what your store takes, in the environment instead"
        )
    if not names_place(url):
        raise ValueError(f"must name a bucket or a folder behind {parts.scheme}://, got {url}")


def names_place(url: str) -> bool:
    """Whether a URL names a bucket or a folder, and not only a kind of store."""
    parts = urlsplit(url)
    return bool(parts.netloc or parts.path.strip("/"))


def staging_folder(url: str) -> Path:
    """Where the files of a store are worked on, if not told: a folder of its own in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "nasray" / hashlib.sha256(normal_url(url).encode()).hexdigest()[:16]


def normal_url(url: str) -> str:
    """The one spelling of a URL with or without slashes at its path's end."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/")))


def join_url(url: str, name: str) -> str:
    """The URL of what is called `name` below a URL; the query stays at its end."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}"))


def split_url(url: str) -> tuple[str, str]:
    """The URL of the folder around, and the name of what is there; `join_url` undone."""
    parts = urlsplit(url)
    folder, _, name = parts.path.rstrip("/").rpartition("/")
    return urlunsplit(parts._replace(path=folder)), name


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
        ValueError: pyarrow knows no such store.
    """

    def __init__(self, url: str) -> None:
        from pyarrow import fs  # noqa: PLC0415  (needed only where there is a store)

        self.url = url
        try:
            self._files, base = fs.FileSystem.from_uri(url)
        except (ValueError, OSError, NotImplementedError) as error:
            raise ValueError(
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
