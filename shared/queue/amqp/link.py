"""One AMQP connection that comes back by itself.

aio-pika's robust connection would restore channels and consumers one by one, at a fixed pace. Here a
connection and all that lives on it is one session: when any of it ends, the session ends as a whole, and
the next one builds everything anew. Nothing is patched up, so there is one path and not many.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    ChannelPreconditionFailed,
    InvalidFrameError,
    ProbableAuthenticationError,
)
from yarl import URL

from shared.errors import ConfigError
from shared.queue.amqp.topology import declare
from shared.queue.port import QueueUnavailable

log = logging.getLogger(__name__)
# It reports each lost connection several times and with tracebacks, which a line of ours says in words.
logging.getLogger("aiormq").setLevel(logging.CRITICAL)

CONNECT_TIMEOUT = 10.0  # seconds for the whole handshake
CLOSE_TIMEOUT = 1.0  # seconds for a polite goodbye
ASK_TIMEOUT = 5.0  # seconds for one question
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0  # seconds between two tries to connect
REMIND_AFTER = 30.0  # seconds until the same problem is logged again
HEARTBEAT = 15  # seconds; a silent broker is given up after three of them


@contextmanager
def broker_errors() -> Iterator[None]:
    """Whatever the client raises inside becomes QueueUnavailable.

    When a connection dies, aio-pika ends what waits on it with CancelledError, although nobody cancelled the
    waiting task: taken for a real one, it would stop a worker without a word.
    """
    try:
        yield
    except QueueUnavailable:
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise QueueUnavailable("RabbitMQ went away before it answered.") from error
    except TimeoutError as error:
        raise QueueUnavailable(
            "RabbitMQ did not answer in time: it may be down, or short of memory or disk."
        ) from error
    except Exception as error:
        raise QueueUnavailable(f"RabbitMQ refused: {_words(error)}") from error


class Session:
    """One connection while it lives."""

    def __init__(self, connection: AbstractConnection) -> None:
        self.connection = connection
        self.lost = asyncio.Event()
        connection.close_callbacks.add(self._lose)

    async def channel(self, **options: Any) -> AbstractChannel:
        """A channel whose end, or whose consumer's end, is the end of the session."""
        channel = self.connection.channel(**options)
        await channel.initialize()
        channel.close_callbacks.add(self._lose)
        underlying = await channel.get_underlay_channel()
        underlying.on_consumer_cancel_callbacks.add(self._lose)
        return channel

    def _lose(self, *_: object) -> None:
        self.lost.set()


# Opens what it needs on a new session, and returns what goes on until the session is lost.
Opener = Callable[[Session], Awaitable[Coroutine[None, None, None]]]


class Link:
    """Keeps a session alive, on which each of `openers` does its work."""

    def __init__(self, url: str, purpose: str, *openers: Opener) -> None:
        address = URL(url)
        name = f"linkferry {purpose} {socket.gethostname()}:{os.getpid()}"  # what operators see
        self._url = address.update_query({"heartbeat": HEARTBEAT, "name": name, **address.query})
        self._place = f"{address.host}:{address.port or (5671 if address.scheme == 'amqps' else 5672)}"
        self._openers = openers
        self._ready = asyncio.Event()
        self._has_worked = False
        self._problem, self._remind_at = "", 0.0
        self._session: Session  # the one that is ready
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when the first session is ready, however long the broker takes. Raises ConfigError."""
        self._task = asyncio.create_task(self._run(), name="amqp link")
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait({self._task, ready}, return_when=asyncio.FIRST_COMPLETED)
            if self._task.done():
                self._task.result()
        except asyncio.CancelledError:
            await self.close()
            raise
        finally:
            ready.cancel()

    async def close(self) -> None:
        """Disconnect for good.

        What is swallowed is cancelled again: before Python 3.12 `asyncio.wait_for`, with which the client
        connects, forgets a cancellation that comes just when what it waits for ends.
        """
        if not self._task:
            return
        while not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=2 * CLOSE_TIMEOUT)
        await asyncio.gather(self._task, return_exceptions=True)

    async def ready(self) -> None:
        """Wait until there is a session."""
        await self._ready.wait()

    @asynccontextmanager
    async def question(self) -> AsyncIterator[AbstractChannel]:
        """A channel for one question, so that its end is nobody else's. Raises QueueUnavailable."""
        with broker_errors():
            async with asyncio.timeout(ASK_TIMEOUT):
                await self.ready()
                async with self._session.connection.channel() as channel:
                    yield channel

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            problem = await self._live_once()
            if time.monotonic() - began > LONGEST_PAUSE:
                pause = FIRST_PAUSE
            self._report(problem)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _report(self, problem: str) -> None:
        """Log a problem when it is new, and now and then while it stays."""
        now = time.monotonic()
        if problem != self._problem or now > self._remind_at:
            self._problem, self._remind_at = problem, now + REMIND_AFTER
            log.warning("RabbitMQ at %s: %s; trying until it works", self._place, problem)

    async def _live_once(self) -> str:
        """One session from its beginning to its end; returns why it ended."""
        connection = aio_pika.Connection(self._url)
        try:
            await connection.connect(timeout=CONNECT_TIMEOUT)
            await self._carry(Session(connection))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
        except CONNECTION_EXCEPTIONS as error:
            if not self._has_worked:
                self._refuse_nonsense(error)
            return _words(error)
        except Exception:
            log.exception("unexpected error on the connection to RabbitMQ")
            return "an unexpected error"
        finally:
            await _say_goodbye(connection)
        return "the connection was lost"

    async def _carry(self, session: Session) -> None:
        tasks: set[asyncio.Future[Any]] = {asyncio.create_task(session.lost.wait())}
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                async with session.connection.channel() as channel:
                    await declare(channel)
                for opener in self._openers:
                    tasks.add(asyncio.ensure_future(await opener(session)))
            self._session = session
            self._ready.set()
            self._has_worked = True
            self._problem = ""
            log.info("connected to RabbitMQ at %s", self._place)
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._ready.clear()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _refuse_nonsense(self, error: BaseException) -> None:
        """Waiting does not mend a wrong setting; once it has worked, though, it may well work again."""
        if isinstance(error, ProbableAuthenticationError):
            raise ConfigError(
                f"RabbitMQ at {self._place} refused the user name or the password in LINKFERRY_QUEUE_URL."
            ) from None
        if isinstance(error, ChannelPreconditionFailed):
            raise ConfigError(
                f"RabbitMQ at {self._place} has a queue or an exchange of the same name in another shape "
                f"({_words(error)}): delete it there, or use another virtual host."
            ) from None


async def _say_goodbye(connection: AbstractConnection) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await connection.close()
    except CONNECTION_EXCEPTIONS:
        log.debug("the connection did not close in good order", exc_info=True)


def _words(error: BaseException) -> str:
    """One line for a log."""
    if isinstance(error, InvalidFrameError) and "OpenOk" in str(error):  # all it says of a broker's refusal
        return "it does not open the virtual host that LINKFERRY_QUEUE_URL names after the last slash"
    return " ".join(str(error).split()) or type(error).__name__
