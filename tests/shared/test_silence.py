"""A PostgreSQL that goes silent, as when a cable is pulled, is an outage: told in time, and outlived."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from types import SimpleNamespace

import pytest
import pytest_asyncio
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.util import await_only

import shared.database
import shared.postgresql
from shared.database import Database
from shared.outbox import Outbox
from shared.queue import EmbeddedQueue
from tests.services import PrivatePostgres, TcpProxy
from tests.shared.conftest import emptied

SOON = 0.3  # seconds
BOUND = 60.0  # seconds after which a test gives up on what never ends


@pytest_asyncio.fixture
async def proxy(postgres: PrivatePostgres) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(postgres.port) as proxy:
        yield proxy


@pytest_asyncio.fixture
async def database(
    postgres: PrivatePostgres, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """One with a connection that has been used, through the proxy."""
    monkeypatch.setattr(shared.postgresql, "CLOSING", 0.1)
    database = Database((await emptied(postgres)).replace(f":{postgres.port}/", f":{proxy.port}/"))
    await used(database)
    yield database
    proxy.thaw()
    await database.close()


@contextmanager
def nobody_waits_long() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared.database, "PATIENCE", SOON)
        yield


async def ask(session: AsyncSession) -> int:
    """The number of the connection."""
    number = await session.scalar(text("SELECT pg_backend_pid()"))
    assert isinstance(number, int)
    return number


async def used(database: Database, count: int = 1) -> set[int]:
    """So many connections, used at once."""
    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(database.read()) for _ in range(count)]
        return {await ask(session) for session in sessions}


@pytest.mark.parametrize("kind", ["read", "write"])
async def test_a_silence_is_told_in_words(database: Database, proxy: TcpProxy, kind: str) -> None:
    proxy.freeze()
    with nobody_waits_long(), pytest.raises(OSError, match="did not answer"):
        async with asyncio.timeout(BOUND), getattr(database, kind)() as session:
            await ask(session)


@pytest.mark.parametrize("ending", ["well", "badly", "late"])
@pytest.mark.parametrize("kind", ["read", "write"])
async def test_a_silence_before_the_end_of_a_transaction_is_told_too(
    database: Database, proxy: TcpProxy, kind: str, ending: str
) -> None:
    with nobody_waits_long(), pytest.raises(OSError, match="did not answer"):
        async with asyncio.timeout(BOUND), getattr(database, kind)() as session:
            await ask(session)
            proxy.freeze()
            if ending == "badly":
                raise ValueError
            if ending == "late":
                await asyncio.Event().wait()


async def test_patience_is_kept(database: Database, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared.database, "LEAST_PATIENCE", 0)
    proxy.freeze()
    with pytest.raises(OSError, match=f"did not answer within {SOON}"):
        async with asyncio.timeout(BOUND):
            await database.write_surely(ask, patience=SOON)


async def test_the_last_try_has_its_time_too(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in it is told, then, and nobody takes the database for silent."""
    monkeypatch.setattr(shared.database, "LEAST_PATIENCE", BOUND)
    now = 100.0
    monkeypatch.setattr(shared.database, "time", SimpleNamespace(monotonic=lambda: now))
    tries = 0

    async def step(session: AsyncSession) -> None:
        nonlocal now, tries
        tries += 1
        await session.execute(text("SELECT pg_sleep(0.3)"))
        now += 9.875
        raise OSError("the real cause")

    with pytest.raises(OSError, match="the real cause"):
        await database.write_surely(step, patience=10)
    assert tries == 2


async def test_a_single_try_has_its_time(database: Database) -> None:
    assert await database.write_surely(ask, patience=0)


async def test_what_is_written_surely_outlives_a_silence(
    database: Database, proxy: TcpProxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.freeze()
    async with asyncio.timeout(BOUND):
        with nobody_waits_long():
            writing = asyncio.create_task(database.write_surely(ask, patience=BOUND))
            while "the database is away" not in caplog.text:
                await asyncio.sleep(0.01)
        proxy.thaw()
        assert await writing


async def test_after_a_silence_no_connection_of_before_is_used(database: Database, proxy: TcpProxy) -> None:
    """A server that another one replaced leaves all of them dead, and each would cost a whole patience."""
    old = await used(database, 3)
    proxy.freeze()
    with nobody_waits_long(), suppress(OSError):
        await used(database)
    proxy.thaw()
    assert old.isdisjoint(await used(database, 3))


async def test_a_connection_stays_when_a_transaction_begun_before_it_ends_in_silence(
    database: Database,
) -> None:
    """After a failover one is opened while others still give up; it is refused no more than once."""

    async def fall_silent() -> None:
        with suppress(OSError):
            async with database.write(SOON):
                await asyncio.Event().wait()

    await fall_silent()
    another = asyncio.create_task(fall_silent())
    await asyncio.sleep(0)
    opened = []

    @event.listens_for(database.engine.sync_engine, "connect")
    def while_it_is_opened(*_: object) -> None:
        opened.append(1)
        await_only(another)

    async with asyncio.timeout(BOUND):
        assert await used(database) == await used(database)
    assert len(opened) == 1


async def test_whoever_gives_up_sooner_spoils_only_the_own_connection(
    database: Database, proxy: TcpProxy
) -> None:
    old = await used(database, 3)
    proxy.freeze()
    with suppress(TimeoutError):
        async with asyncio.timeout(SOON):
            await used(database)
    proxy.thaw()
    assert len(old & await used(database, 3)) == 2


async def test_the_outbox_says_that_it_has_to_wait(
    database: Database, proxy: TcpProxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.freeze()
    with nobody_waits_long():
        running = asyncio.create_task(Outbox(database, EmbeddedQueue()).run())
        async with asyncio.timeout(BOUND):
            while "the outbox has to wait: the database did not answer" not in caplog.text:
                await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])


async def test_leaving_needs_no_answer(database: Database, proxy: TcpProxy) -> None:
    await used(database, 2)
    proxy.freeze()
    async with asyncio.timeout(BOUND):
        await database.close()
