"""Which network addresses a child may speak to. Pure, except that a host name in a rule is resolved."""

import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Self

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL_IPV6 = IPv6Network("2000::/3")  # all that is given out; everything else is special or unused
# Not public, whatever this Python version's `is_global` thinks of them.
_NEVER: tuple[Network, ...] = (
    IPv4Network("0.0.0.0/8"),
    IPv4Network("100.64.0.0/10"),
    IPv4Network("168.63.129.16/32"),  # answers the machines of one big cloud from inside
    IPv4Network("169.254.0.0/16"),
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv4Network("198.18.0.0/15"),
    IPv4Network("240.0.0.0/4"),
    IPv6Network("2001::/23"),  # Teredo, benchmarks, ORCHID
    IPv6Network("2001:db8::/32"),
    IPv6Network("2002::/16"),  # 6to4 leads to whatever IPv4 address is inside
    IPv6Network("3fff::/20"),
)


def meant_by(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (mapped, NAT64), else the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return IPv6Address(int(address))  # without a scope
    return address


def is_public(address: Address) -> bool:
    """True for an address anybody on the internet can reach; embedded IPv4 addresses count as themselves."""
    address = meant_by(address)
    if isinstance(address, IPv6Address) and address not in _GLOBAL_IPV6:
        return False
    if address.is_multicast or not address.is_global:
        return False
    return not any(address.version == network.version and address in network for network in _NEVER)


@dataclass(frozen=True)
class Exemption:
    """One entry of `allowed_addresses`: a network, or a host, each with one port or any."""

    network: Network | None
    host: str | None
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `10.0.0.0/8`, `10.0.0.1`, `10.0.0.1:80`, `[fd00::1]:80`, `name` or `name:80`.

        Raises ValueError with a text that says what is wrong.
        """
        text = text.strip()
        if (network := _network(text)) is not None:
            return cls(network, None, None)
        host, colon, port_text = text.rpartition(":")
        if not colon:
            host, port_text = text, ""
        if not host or (colon and not port_text.isdigit()):
            raise ValueError(f"{text!r} is neither a network like 10.0.0.0/8 nor a host:port")
        port = int(port_text) if port_text else None
        network = _network(host.removeprefix("[").removesuffix("]"))
        return cls(network, None if network else host, port)

    def covers(self, address: Address, port: int) -> bool:
        """True when this entry lets a child connect there. May ask the resolver for a host's addresses."""
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            return address.version == self.network.version and address in self.network
        return address in _resolve(self.host or "")


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _resolve(host: str) -> set[Address]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {ipaddress.ip_address(str(entry[4][0])) for entry in found}


def may_connect(
    host: object, port: int, exemptions: tuple[Exemption, ...], own: Collection[Address] = ()
) -> bool:
    """Decide about the literal address a socket is about to use; anything that is no literal is refused.

    `own` are this machine's addresses; they are as little public as private ones.
    """
    try:
        address = ipaddress.ip_address(str(host))
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if is_public(address) and meant_by(address) not in own:
        return True
    return any(exemption.covers(address, port) for exemption in exemptions)
