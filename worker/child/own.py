"""The addresses of this machine itself, as the kernel lists them: a public one of its own is no stranger's.

What listens on them may be meant for inside only, even where the address is public. Read anew for every
child (a tenth of a millisecond), because addresses come and go while the warm process lives.
"""

import ipaddress
from itertools import pairwise
from pathlib import Path

from worker.child.addresses import Address

_IPV4 = Path("/proc/net/fib_trie")
_IPV6 = Path("/proc/net/if_inet6")


def own_addresses() -> frozenset[Address]:
    """Every address of this machine's interfaces; none where the kernel does not tell."""
    return frozenset(read_ipv4(_text(_IPV4)) | read_ipv6(_text(_IPV6)))


def read_ipv4(fib_trie: str) -> set[Address]:
    """From the routing table: an address stands in the line before `/32 host LOCAL`."""
    lines = [line.strip() for line in fib_trie.splitlines()]
    return {
        ipaddress.IPv4Address(address.removeprefix("|-- "))
        for address, kind in pairwise(lines)
        if kind == "/32 host LOCAL" and address.startswith("|-- ")
    }


def read_ipv6(if_inet6: str) -> set[Address]:
    """From the list of interfaces: each line begins with 32 hex digits."""
    return {ipaddress.IPv6Address(int(line.split()[0], 16)) for line in if_inet6.splitlines() if line.strip()}


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
