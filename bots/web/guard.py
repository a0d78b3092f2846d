"""Who may use the API: holders of a key, or without keys only programs on this machine."""

import hmac
import ipaddress
from collections.abc import Sequence
from typing import cast
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, params
from fastapi.requests import HTTPConnection

from shared.settings import Settings

# A proxy on this machine would make the whole world local.
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
NEEDS_KEY = "Send one of LINKFERRY_API_KEYS as 'Authorization: Bearer KEY'."
NEEDS_LOOPBACK = "The API answers only programs on this machine until LINKFERRY_API_KEYS is set."


def guard(settings: Settings) -> params.Depends:
    """A dependency for HTTP and WebSocket routes that refuses with 401 or 403."""

    async def check(connection: HTTPConnection) -> None:
        if settings.api_keys:
            if not has_key(connection, settings.api_keys):
                raise HTTPException(401, NEEDS_KEY, {"www-authenticate": "Bearer"})
        elif not is_local(connection):
            raise HTTPException(403, NEEDS_LOOPBACK)

    return cast(params.Depends, Depends(check))


def may_use_api(connection: HTTPConnection, settings: Settings) -> bool:
    """The same rule as a question."""
    return has_key(connection, settings.api_keys) if settings.api_keys else is_local(connection)


def has_key(connection: HTTPConnection, keys: Sequence[str]) -> bool:
    """Whether the caller shows a key; how long this takes tells nothing about any of them."""
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    given = key.strip().encode("latin-1")  # the bytes as they were sent
    same = [hmac.compare_digest(given, known.encode()) for known in keys]
    return scheme.lower() == "bearer" and any(same)


def is_local(connection: HTTPConnection) -> bool:
    """From this machine, not through a proxy, and not from a web page of somebody else in a local browser.

    The `Host` must be a loopback name as well: otherwise a stranger's page could point its own name here.
    """
    headers = connection.headers
    if connection.client is None or not is_loopback(connection.client.host):
        return False
    if any(name in headers for name in FORWARDED):
        return False
    host = headers.get("host", "").lower()
    origin = headers.get("origin")
    if origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}"):
        return False
    return is_loopback(_host_name(host))


def is_loopback(host: str) -> bool:
    """Whether a name or an address means this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _host_name(host: str) -> str:
    """The name in a Host header, without its port; empty when it is malformed."""
    try:
        return "" if "@" in host else urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
