"""From a command to the film, or to the transcript in the thread, with the real worker and media site."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select

from linkferry import compose
from linkferry.chats import running_chats
from linkferry.compose import Parts, open_parts, running_worker
from shared.chat import MessageClient
from shared.models import Delivery, Request
from tests.bots.slack.conftest import double, settings_for
from tests.bots.slack.test_http import URL
from tests.bots.slack.test_http import site as web_site
from tests.site.server import MediaSite
from tests.slack.channels import Channel
from tests.slack.double import SlackDouble
from tests.slack.people import Person
from tests.waiting import eventually
from worker.child import ChildServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

Scene = tuple[SlackDouble, Person, Channel, Parts]
Chat = Callable[..., AbstractAsyncContextManager[Scene]]


@pytest_asyncio.fixture(loop_scope="session")
async def chat(
    tmp_path: Path, site: MediaSite, children: ChildServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Chat]:
    """Ann in a channel with an app that has a worker."""
    site.reset()

    class Borrowed:
        def __init__(self, *_: object) -> None: ...

        async def __aenter__(self) -> ChildServer:
            return children

        async def __aexit__(self, *_: object) -> None: ...

    monkeypatch.setattr(compose, "ChildServer", Borrowed)

    @asynccontextmanager
    async def start(*, http: bool) -> AsyncIterator[Scene]:
        async with double(limits=True) as slack:
            ann = slack.user("Ann")
            changes: dict[str, Any] = {"allowed_addresses": (f"127.0.0.1:{site.port}",)}
            if http:
                changes |= {"slack_app_token": "", "slack_signing_secret": slack.signing_secret}
            clients: dict[str, MessageClient] = {}
            async with (
                open_parts(settings_for(tmp_path / "data", slack, **changes)) as parts,
                running_worker(parts, clients) as deliverer,
                running_chats(parts, clients, deliverer) as routers,
            ):
                if http:
                    await slack.delivers_to(URL, web_site(routers))
                else:
                    await slack.socket.connected()
                yield slack, ann, slack.channel("films", [ann], bot=True), parts

    yield start


@pytest.mark.parametrize("http", [False, True], ids=["socket", "http"])
async def test_a_command_becomes_the_film_and_another_the_transcript(
    chat: Chat, site: MediaSite, http: bool
) -> None:
    async with chat(http=http) as (slack, ann, channel, parts):
        await ann.runs(f"/get {site.url('/watch/sample')} 480p", channel)
        film = await channel.shows(lambda shown: "Download" in shown.labels, 60)
        assert len(channel.messages) == 1
        await ann.runs(f"/subs {site.url('/watch/sample')} en", channel)
        await slack.until(lambda: len(channel.files) == 1, 60)
        file = channel.files[0]
        assert file.thread_ts not in (None, film.ts) and file.content
        assert [call.method for call in slack.calls if call.error] == []

        async def are_delivered() -> bool:
            async with parts.database.read() as session:
                return set(await session.scalars(select(Request.delivery))) == {Delivery.DELIVERED}

        await eventually(are_delivered)
