"""The Ray cluster that this account started on this machine, told apart from those of other accounts."""

import os
import socket
import stat
from ipaddress import IPv4Address, IPv6Address, ip_address

import psutil
from ray._common.network_utils import parse_address
from ray._common.utils import get_ray_address_file
from ray._private.services import canonicalize_bootstrap_address

from nasray.errors import UserError

_LONGEST = 100  # bytes of an address
_Address = IPv4Address | IPv6Address


class ForeignClusterError(UserError):
    """A cluster is named that is not known to be this account's own and running."""


def find_own_cluster() -> str | None:
    """The address, host:port, that `ray start` left in a file on this machine; None: there is none.

    That file, and the folder that it lies in, may be written by every account.

    Raises:
        ForeignClusterError: The file or the process that listens at the address is not known to be this account's.
    """
    path = get_ray_address_file(None)
    try:
        address = canonicalize_bootstrap_address(_read_own(path))
        _check_own_listener(address)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, psutil.Error) as error:
        raise ForeignClusterError(
            f"the Ray cluster that {path} names is not joined, {error} (RAY_ADDRESS or resources.address would join it)"
        ) from None
    return address


def _read_own(path: str) -> str:
    """The text of a short file of this account."""
    # A link might lead to another file of ours, a pipe might never end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise UserError("the file is not this account's own")
        return file.read(_LONGEST).decode().strip()


def _check_own_listener(address: str) -> None:
    """Hold an address to one of this machine at which this account listens.

    Raises:
        UserError: It is none; also where the system does not say whose process listens.
    """
    host, port = parse_address(address)
    wanted = ip_address(host)
    if not wanted.is_loopback and wanted not in _addresses_here():
        raise UserError(f"{address} is not this machine's")
    listeners = [
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
        and connection.laddr.port == int(port)
        and _plain(connection.laddr.ip) in (wanted, IPv4Address(0), IPv6Address(0))
    ]
    if not listeners:
        raise UserError(f"nothing answers at {address}")
    if not all(_is_ours(pid) for pid in listeners):
        raise UserError(f"what answers at {address} is not known to be a process of this account")


def _addresses_here() -> set[_Address]:
    """All addresses of this machine."""
    families = (socket.AF_INET, socket.AF_INET6)
    return {
        _plain(entry.address)
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family in families
    }


def _plain(text: str) -> _Address:
    """An address, of IPv4 also where it is written as one of IPv6."""
    address = ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


def _is_ours(pid: int | None) -> bool:
    """Whether a process is this account's; None: one that may not be looked at."""
    return pid is not None and set(psutil.Process(pid).uids()) == {os.geteuid()}
