"""URLs of object stores: what they may hold, and the names below them."""

import hashlib
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from nasray.errors import UserError
from nasray.search_spaces.files.cache_folder import cache_folder

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
        UserError: It names no place, or holds a password or what may be one.
    """
    parts = urlsplit(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    # Before the @ of others stand containers and users.
    may_be_key = parts.password is not None or (parts.scheme == "s3" and parts.username is not None)
    if may_be_key or any("@" in value for _, value in options):
        raise UserError(
            "must hold no keys or passwords, since it is kept beside the results, got some: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or what your store takes, in the environment instead"
        )
    if unknown := [name for name, _ in options if name not in _HARMLESS_OPTIONS]:
        raise UserError(
            f"must have no options but {', '.join(sorted(_HARMLESS_OPTIONS))} behind its question mark, since it is "
            f"kept beside the results and others may be secrets, got {', '.join(unknown)}: set AZURE_CLIENT_SECRET, or "
            "what your store takes, in the environment instead"
        )
    if not names_place(url):
        raise UserError(f"must name a bucket or a folder behind {parts.scheme}://, got {url}")


def names_place(url: str) -> bool:
    """Whether a URL names a bucket or a folder, and not only a kind of store."""
    parts = urlsplit(url)
    return bool(parts.netloc or parts.path.strip("/"))


def staging_folder(url: str) -> Path:
    """Where the files of a store are worked on, if not told: a folder of its own in the user's cache."""
    return cache_folder() / hashlib.sha256(normal_url(url).encode()).hexdigest()[:16]


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
