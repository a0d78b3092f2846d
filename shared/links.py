"""Signed links: `/f/{token}/{filename}` to a file, `/w/{token}` to the page where a job's files are watched.

A token is 21 bytes (the artifact's or the job's id, expiry, flags) in base64url, a dot, and an HMAC-SHA256 by
itsdangerous: 72 characters. Whoever has the link may use it until then; the file name is only for people.
Each kind has a salt of its own, so that none is ever taken for the other.
"""

import re
import struct
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import quote
from uuid import UUID

from itsdangerous import BadSignature, Signer

from shared.errors import ConfigError, LinkferryError
from shared.storage.port import Disposition

MAX_TTL = 7 * 86_400
"""The longest a link may live, in seconds; no presigned link of S3 lives longer either."""

_PAYLOAD = struct.Struct(
    ">16sIB"
)  # artifact or job id, seconds since 1970 (until 2106), version and disposition
_VERSION = 0x10
_DISPOSITIONS: tuple[Disposition, ...] = ("attachment", "inline")

# The last character of a 32-byte signature carries four bits: with any other one, two texts would be
# the same token, and nobody could tell a copied link from an altered one.
_SHAPE = r"[A-Za-z0-9_-]{28}\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]"
_TOKEN_ONLY = re.compile(_SHAPE)
# What makes a link to S3 or CloudFront work.
_PRESIGNED = r"(?<=Signature=)[^&\s\"'<>|]+|(?<=X-Amz-Security-Token=)[^&\s\"'<>|]+"
_TOKEN_IN_TEXT = re.compile(rf"(?<=/[fw]/)[^/?#\s\"'<>|]+|{_SHAPE}|{_PRESIGNED}")


class LinkInvalid(LinkferryError):
    """Not a token, forged, altered, or signed with a key that is no longer in use."""


class LinkExpired(LinkferryError):
    """A token we signed whose time is over."""


@dataclass(frozen=True)
class LinkClaim:
    """What a valid token says. `expires_at` is in seconds since 1970 (UTC)."""

    artifact_id: UUID
    expires_at: int
    disposition: Disposition


@dataclass(frozen=True)
class WatchClaim:
    """What the valid token of a watch page says. `expires_at` is in seconds since 1970 (UTC)."""

    job_id: UUID
    expires_at: int


class Links:
    """Makes and reads signed links.

    `keys`: the first signs, all verify, so a key is changed by putting a new one in front and taking the
    old one away a week later. `clock` gives seconds since 1970.
    """

    def __init__(self, keys: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        if not keys or not all(keys):
            raise ConfigError("Signed links need a key: set LINKFERRY_SECRET_KEYS.")
        self._files = _signer(keys, b"linkferry.file-link")
        self._pages = _signer(keys, b"linkferry.watch-link")
        self._clock = clock

    def url(
        self,
        base_url: str,
        artifact_id: UUID,
        filename: str,
        ttl_seconds: int,
        disposition: Disposition = "attachment",
    ) -> str:
        """A link under `base_url` that lives `ttl_seconds`. `filename` is one of `safe_file_name`.

        Raises:
            ValueError: the link would live longer than 7 days, or not at all.
        """
        token = self._token(self._files, artifact_id, ttl_seconds, _DISPOSITIONS.index(disposition))
        return f"{base_url.rstrip('/')}/f/{token}/{quote(filename, safe='')}"

    def watch_url(self, base_url: str, job_id: UUID, ttl_seconds: int) -> str:
        """A link to the watch page of a job. Raises like `url`."""
        return f"{base_url.rstrip('/')}/w/{self._token(self._pages, job_id, ttl_seconds)}"

    def read(self, token: str) -> LinkClaim:
        """What the token of a file says.

        Raises:
            LinkInvalid: it is not one of ours, or was altered.
            LinkExpired: its time is over.
        """
        artifact_id, expires_at, flags = self._claim(self._files, token)
        return LinkClaim(artifact_id, expires_at, _DISPOSITIONS[flags & 1])

    def read_watch(self, token: str) -> WatchClaim:
        """What the token of a watch page says. Raises like `read`."""
        job_id, expires_at, _ = self._claim(self._pages, token)
        return WatchClaim(job_id, expires_at)

    def _token(self, signer: Signer, subject: UUID, ttl_seconds: int, flags: int = 0) -> str:
        if not 0 < ttl_seconds <= MAX_TTL:
            raise ValueError(f"a link lives 1 to {MAX_TTL} seconds, not {ttl_seconds}")
        expires_at = int(self._clock()) + ttl_seconds
        payload = urlsafe_b64encode(_PAYLOAD.pack(subject.bytes, expires_at, _VERSION | flags))
        return signer.sign(payload).decode("ascii")

    def _claim(self, signer: Signer, token: str) -> tuple[UUID, int, int]:
        if _TOKEN_ONLY.fullmatch(token) is None:
            raise LinkInvalid("not a token")
        try:
            payload = urlsafe_b64decode(signer.unsign(token))
        except BadSignature as error:
            raise LinkInvalid("wrong signature") from error
        subject, expires_at, flags = _PAYLOAD.unpack(payload)
        if flags & ~1 != _VERSION:
            raise LinkInvalid("a token of another version")
        if self._clock() >= expires_at:
            raise LinkExpired("expired")
        return UUID(bytes=subject), expires_at, flags


def _signer(keys: Sequence[str], salt: bytes) -> Signer:
    # itsdangerous signs with the last key of its list.
    return Signer(list(reversed(keys)), salt=salt, key_derivation="hmac", digest_method=sha256)


def redact_tokens(text: str) -> str:
    """The text with every link token replaced: who reads a log must not be able to fetch the files."""
    return _TOKEN_IN_TEXT.sub("[token]", text)
