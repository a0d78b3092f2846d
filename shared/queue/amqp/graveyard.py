"""Dead letters: looking at them without moving them."""

from datetime import datetime
from typing import Any

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from shared.queue.amqp.topology import DEAD
from shared.queue.port import DeadLetter

LONGEST_BODY = 200  # characters of a message that a person needs to see


async def look(channel: AbstractChannel, limit: int) -> list[DeadLetter]:
    """The oldest letters. They go back by themselves, in order, when `channel` closes."""
    queue = await channel.get_queue(DEAD, ensure=False)
    letters: list[DeadLetter] = []
    while len(letters) < limit and (message := await queue.get(fail=False)):
        letters.append(_read(message))
    return letters


async def purge(channel: AbstractChannel) -> int:
    """All of them, for good; returns how many."""
    queue = await channel.get_queue(DEAD, ensure=False)
    return (await queue.purge()).message_count or 0


def _read(message: AbstractIncomingMessage) -> DeadLetter:
    deaths: Any = message.headers.get("x-death")
    death = deaths[0] if isinstance(deaths, list) and deaths else {}
    died_at = death.get("time")
    return DeadLetter(
        body=message.body.decode(errors="backslashreplace")[:LONGEST_BODY],
        reason=str(death.get("reason", "unknown")),
        died_at=died_at if isinstance(died_at, datetime) else None,
    )
