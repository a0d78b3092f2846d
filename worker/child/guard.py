"""The egress guard: a child's sockets reach public addresses only, and it starts no program but deno.

An audit hook sees the address a socket is really about to use, after redirects and name resolution, and
cannot be removed once installed. The warm process installs it, so that it is there before any code of a
site runs; a child switches it on after the fork. What is not a Python socket (curl_cffi) has to go through
`proxy.py`, whose sockets are.
"""

import sys
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from shared.errors import Code
from worker.child.abort import TRIPWIRE
from worker.child.addresses import Address, Exemption, may_connect
from worker.child.own import own_addresses

PROGRAMS = frozenset({"deno"})  # yt-dlp runs it without network, files or environment
_LOOPBACK = ("127.0.0.1", "::1")


class _Guard:
    """The switch and the exemptions; one per process."""

    active = False
    exemptions: tuple[Exemption, ...] = ()
    own: frozenset[Address] = frozenset()


def install() -> None:
    """Add the hook; it does nothing until `activate`."""
    sys.addaudithook(_hook)


def activate(allowed_addresses: tuple[str, ...]) -> None:
    """Switch the guard on for the rest of this process. Raises ValueError for an unreadable exemption."""
    _Guard.exemptions = tuple(Exemption.parse(entry) for entry in allowed_addresses)
    _Guard.own = own_addresses()
    _Guard.active = True


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _Guard.active and (check := _CHECKS.get(event)) is not None:
        check(args)


def _check_address(args: tuple[Any, ...]) -> None:
    address = args[1]
    if address is None:  # sendmsg on a socket that was checked when it connected
        return
    if isinstance(address, tuple) and len(address) >= 2 and isinstance(address[1], int):
        host, port = address[0], address[1]
        if isinstance(host, str) and may_connect(host, port, _Guard.exemptions, _Guard.own):
            return
    raise TRIPWIRE.trip(Code.BLOCKED_ADDRESS, f"refused to connect to {address!r}")


def _check_bind(args: tuple[Any, ...]) -> None:
    address = args[1]
    if not (isinstance(address, tuple) and address[0] in _LOOPBACK):
        raise TRIPWIRE.trip(Code.BLOCKED_ADDRESS, f"refused to listen on {address!r}")


def _check_program(args: tuple[Any, ...]) -> None:
    program, arguments = PurePath(str(args[0])).name, [str(argument) for argument in args[1]]
    may_reach_out = any(argument.startswith(("--allow", "-A")) for argument in arguments)
    if program not in PROGRAMS or may_reach_out:
        # An ordinary error: to yt-dlp it looks as if the program were not installed.
        raise PermissionError(f"a child does not start {program}")


def _refuse(args: tuple[Any, ...]) -> None:
    raise PermissionError("a child does not start programs that way")


_CHECKS: dict[str, Callable[[tuple[Any, ...]], None]] = {
    "socket.connect": _check_address,
    "socket.sendto": _check_address,
    "socket.sendmsg": _check_address,
    "socket.bind": _check_bind,
    "subprocess.Popen": _check_program,
    "os.system": _refuse,
    "os.exec": _refuse,
    "os.posix_spawn": _refuse,
    "os.spawn": _refuse,
    "os.fork": _refuse,
    "os.forkpty": _refuse,
    "pty.spawn": _refuse,
}
