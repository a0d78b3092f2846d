"""Ids of rows: UUIDv7, so that they sort by the time they were made; and of people."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A new, time-ordered id (RFC 9562)."""
    return uuid7()


def short_id(request_id: UUID) -> str:
    """What people see and type: the end of a request's id, which is random; its beginning is the time."""
    return request_id.hex[-8:]


def user_key(platform: str, user_id: str) -> str:
    """The person, across chats of one platform."""
    return f"{platform}:{user_id}"
