"""Many workspaces: each installs the app by itself, and keeps a token of its own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio
from slack_sdk.oauth.installation_store.sqlalchemy import SQLAlchemyInstallationStore
from slack_sdk.oauth.state_store.sqlalchemy import SQLAlchemyOAuthStateStore
from sqlalchemy import Column, MetaData, Table, select, update

from bots.slack.manifest import SCOPES
from bots.slack.workspaces import Workspaces
from shared.chat.port import MessageGone
from shared.chat.slack.web import open_session, web_client
from shared.database import Database
from shared.models import SLACK_BOTS, Base
from shared.slack_tables import BOTS, INSTALLATIONS, STATES
from tests.bots.slack.conftest import Chatting, chat_in, chatting, double, settings_for
from tests.bots.slack.test_http import URL, site
from tests.shared.conftest import connect, database, postgres
from tests.slack.double import SlackDouble
from tests.slack.people import Person

__all__ = ["connect", "database", "postgres"]

pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated")  # the SDK's, in aiohttp

LINK = "https://example.com/watch?v=abc123"
SITE = "https://ferry.test"


@dataclass
class Installing:
    """The app of many workspaces, and a browser."""

    chat: Chatting
    browser: httpx.AsyncClient

    async def install(self, person: Person) -> httpx.Response:
        """Press the button, and Allow."""
        page = await self.browser.get("/slack/install")
        state = page.cookies.get("slack-app-oauth-state") or ""
        assert parse_qs(urlsplit(_link(page.text)).query)["state"] == [state]
        code = person.installs(set(SCOPES), f"{SITE}/slack/oauth_redirect")
        return await self.browser.get(f"/slack/oauth_redirect?code={code}&state={state}")

    async def bots(self) -> list[str]:
        """The tokens in the database."""
        async with self.chat.parts.database.read() as session:
            return list(await session.scalars(select(SLACK_BOTS.c.bot_token).order_by(SLACK_BOTS.c.id)))


@pytest_asyncio.fixture
async def slack() -> AsyncIterator[SlackDouble]:
    async with double(rotates=True) as running:
        yield running


@pytest_asyncio.fixture
async def installing(slack: SlackDouble, tmp_path: Path) -> AsyncIterator[Installing]:
    settings = settings_for(
        tmp_path / "data", slack, slack_bot_token="", slack_app_token="", public_url=SITE,
        slack_signing_secret=slack.signing_secret, slack_client_id=slack.client_id,
        slack_client_secret=slack.client_secret,
    )  # fmt: skip
    async with chatting(settings) as (parts, nudge, routers):
        app = site(routers)
        await slack.delivers_to(URL, app)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=SITE) as browser:
            yield Installing(chat_in(slack, parts, nudge), browser)


async def test_workspaces_install_the_app_and_are_answered_in_their_own_name(installing: Installing) -> None:
    chat, slack = installing.chat, installing.chat.slack
    other = slack.workspace("Others")
    eve = slack.user("Eve", team=other)
    room = slack.channel("theirs", [eve], bot=True)
    for person in (chat.ann, eve):
        assert (await installing.install(person)).status_code == 200
    await chat.ann.runs(f"/get {LINK}", chat.channel)
    await eve.runs(f"/get {LINK}2", room)
    await chat.channel.shows("Queued")
    await room.shows("Queued")
    tokens = {call.token.team_id for call in slack.made("chat.postMessage")}
    assert tokens == {slack.team.id, other.id}
    await eve.runs("/status", room)
    assert "number 1" not in room.ephemerals(eve)[-1].text  # it sees its own only


async def test_a_stranger_cannot_finish_somebodys_installation(installing: Installing) -> None:
    code = installing.chat.ann.installs(set(SCOPES))
    for query in ("", "?code=x", f"?code={code}&state=guessed", "?error=access_denied"):
        await installing.browser.get(f"/slack/oauth_redirect{query}")
    assert await installing.bots() == []


async def test_a_workspace_without_the_app_is_nobodys_message(installing: Installing) -> None:
    chat = installing.chat
    assert (await chat.ann.runs(f"/get {LINK}", chat.channel)).is_acked
    assert len(await chat.requests()) == 1 and chat.channel.messages == []


async def test_a_token_is_exchanged_once_before_it_expires(installing: Installing) -> None:
    await installing.install(installing.chat.ann)
    slack, parts = installing.chat.slack, installing.chat.parts
    first = (await installing.bots())[0]
    await expires_soon(parts.database)
    async with open_session() as session:
        several = [Workspaces(parts.database, parts.settings, session) for _ in range(3)]
        asked = [one.client(slack.team.id) for one in several for _ in range(4)]
        clients = await asyncio.gather(*asked)
        refreshed = (await installing.bots())[0]
        assert {client.token for client in clients} == {refreshed} and refreshed != first
        exchanges = [call for call in slack.made("oauth.v2.access") if call.text("grant_type")]
        assert len(exchanges) == 1
        with pytest.raises(MessageGone):
            await several[0].client("T0NOBODY")


async def test_an_exchange_that_fails_leaves_the_old_token(installing: Installing) -> None:
    await installing.install(installing.chat.ann)
    slack, parts = installing.chat.slack, installing.chat.parts
    first = (await installing.bots())[0]
    await expires_soon(parts.database)
    async with open_session() as session:
        workspaces = Workspaces(parts.database, parts.settings, session)
        slack.fail_next("oauth.v2.access", "internal_error")
        assert (await workspaces.client(slack.team.id)).token == first


async def test_processes_on_each_database_exchange_a_token_once(
    database: Database, slack: SlackDouble, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, slack, slack_client_id=slack.client_id,
                            slack_client_secret=slack.client_secret)  # fmt: skip
    code = slack.user("Ann").installs(set(SCOPES))
    async with open_session() as session:
        web = web_client("", slack.api_url, session)
        given = await web.oauth_v2_access(
            client_id=slack.client_id, client_secret=slack.client_secret, code=code
        )
        row = {
            "client_id": slack.client_id, "app_id": slack.app_id, "team_id": slack.team.id,
            "bot_token": given["access_token"], "bot_refresh_token": given["refresh_token"],
            "enterprise_id": "E1",
        }  # fmt: skip
        async with database.write() as opened:
            await opened.execute(SLACK_BOTS.insert().values(row))
        await expires_soon(database)
        several = [Workspaces(database, settings, session) for _ in range(3)]
        clients = await asyncio.gather(*(one.client(slack.team.id) for one in several))
    assert len({client.token for client in clients}) == 1
    assert len([call for call in slack.made("oauth.v2.access") if call.text("grant_type")]) == 1


async def expires_soon(database: Database) -> None:
    """All tokens end within the hour."""
    async with database.write() as session:
        soon = datetime.now(UTC).replace(tzinfo=None) + timedelta(minutes=50)
        await session.execute(update(SLACK_BOTS).values(bot_token_expires_at=soon))


def test_the_tables_are_those_of_the_sdk() -> None:
    theirs = MetaData(naming_convention=Base.metadata.naming_convention)
    SQLAlchemyInstallationStore.build_bots_table(theirs, BOTS)
    SQLAlchemyInstallationStore.build_installations_table(theirs, INSTALLATIONS)
    SQLAlchemyOAuthStateStore.build_oauth_states_table(theirs, STATES)
    for name, table in theirs.tables.items():
        assert shape(Base.metadata.tables[name]) == shape(table)


def shape(table: Table) -> object:
    """What a database makes of a table."""

    def column(one: Column[object]) -> tuple[object, ...]:
        return one.name, str(one.type), one.nullable, one.primary_key, one.default is not None

    indexes = sorted((str(index.name), [each.name for each in index.columns]) for index in table.indexes)
    return sorted(map(column, table.columns)), indexes


def _link(page: str) -> str:
    start = page.index('href="https://slack.com/oauth') + len('href="')
    return page[start : page.index('"', start)].replace("&amp;", "&")
