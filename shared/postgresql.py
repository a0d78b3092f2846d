"""PostgreSQL through asyncpg, whose connections take no longer to close than a moment."""

from contextlib import suppress

import asyncpg

CLOSING = 1.0  # seconds in which the server has to answer a goodbye; one that is frozen never does


class Connection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that ends without an answer, too: else a service that stops would wait for ever."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - its name there
        """Say goodbye and hang up."""
        with suppress(TimeoutError):  # then it has hung up all the same
            await super().close(timeout=min(CLOSING, timeout or CLOSING))
