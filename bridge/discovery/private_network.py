"""Whether an address is in the store: a person who mistypes one must not talk to the internet."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import replace

from bridge.terminal.transport import TcpAddress

# RFC 1918 and RFC 4193; loopback and link-local addresses are near by their own kind.
_STORE_NETWORKS = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
)


def is_near(text: str) -> bool:
    """Say whether an IP address is of this machine or of a private network.

    Raises:
        ValueError: It is no IP address.
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback or address.is_link_local:
        return True
    return any(address.version == net.version and address in net for net in _STORE_NETWORKS)


async def resolve(address: TcpAddress, *, anywhere: bool) -> tuple[str, TcpAddress | None]:
    """Return why nobody may be asked there, or "" and the address with its IP address.

    A name that leads to several addresses is refused for any that is not near.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError:
        return f"nobody knows the host {address.host}", None
    hosts = [str(where[0]) for _, _, _, _, where in found]
    far = [host for host in hosts if not is_near(host)]
    if far and not anywhere:
        return f"{far[0]} is not in a private network; --anywhere has it asked all the same", None
    return "", replace(address, host=hosts[0])
