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

from bots.slack import workspaces
from bots.slack.manifest import SCOPES
from bots.slack.workspaces import Workspaces
from shared.chat.port import MessageGone
from shared.chat.slack.web import open_session, web_client
from shared.database import Database
from shared.models import SLACK_BOTS, Base, Delivery
from shared.slack_tables import BOTS, INSTALLATIONS, STATES
from tests.bots.slack.conftest import Chatting, chat_in, chatting, double, settings_for
from tests.bots.slack.test_http import URL, site
from tests.shared.conftest import connect, database, postgres
from tests.slack.double import SlackDouble
from tests.slack.people import Person
from tests.waiting import eventually

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
        assert parse_qs(urlsplit(install_link(page.text)).query)["state"] == [state]
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


async def test_an_organisation_cannot_install_the_app_and_is_told_what_to_do(installing: Installing) -> None:
    installing.chat.slack.installer.for_organisation = True
    answer = await installing.install(installing.chat.ann)
    assert answer.status_code == 400 and "choose one workspace" in answer.text
    assert await installing.bots() == []


async def test_a_workspace_that_removes_the_app_is_left_alone(
    installing: Installing, caplog: pytest.LogCaptureFixture
) -> None:
    chat, slack = installing.chat, installing.chat.slack
    other = slack.workspace("Others")
    eve = slack.user("Eve", team=other)
    room = slack.channel("theirs", [eve], bot=True)
    for person in (chat.ann, eve):
        await installing.install(person)
        await person.runs(f"/get {LINK}", chat.channel if person is chat.ann else room)
    await chat.channel.shows("Queued")
    await room.shows("Queued")
    for told in await slack.uninstalls(other):
        assert told.is_acked
    assert len(await installing.bots()) == 1
    made, logged = len(slack.calls), len(caplog.records)
    await chat.finish("A film")
    await chat.channel.shows("A film")
    requests = chat.requests

    async def are_over() -> bool:
        return all(one.delivery is Delivery.DELIVERED for one in await requests())

    await eventually(are_over)
    assert not [call for call in slack.calls[made:] if call.error], "nobody calls with a token that is void"
    assert all(record.levelname == "INFO" for record in caplog.records[logged:])
    await installing.install(eve)
    for told in await slack.uninstalls(other, at=slack.clock() - 60, revokes=False):
        assert told.is_acked
    assert len(await installing.bots()) == 2, "what is told late is not about the new installation"


async def test_a_workspace_without_the_app_is_nobodys_message(installing: Installing) -> None:
    chat = installing.chat
    assert (await chat.ann.runs(f"/get {LINK}", chat.channel)).is_acked
    assert len(await chat.requests()) == 1 and chat.channel.messages == []


async def test_a_token_is_exchanged_once_before_it_ends_and_nobody_waits_for_it(
    installing: Installing,
) -> None:
    await installing.install(installing.chat.ann)
    slack, parts = installing.chat.slack, installing.chat.parts
    first = (await installing.bots())[0]
    await ends_in(parts.database, timedelta(minutes=50))
    async with open_session() as session:
        several = [Workspaces(parts.database, parts.settings, session) for _ in range(3)]
        asked = [one.client(slack.team.id) for one in several for _ in range(4)]
        clients = await asyncio.gather(*asked)
        refreshed = (await installing.bots())[0]
        assert {client.token for client in clients} <= {first, refreshed} and refreshed != first
        another = Workspaces(parts.database, parts.settings, session)
        assert (await another.client(slack.team.id)).token == refreshed
        assert exchanges(slack) == 1
        with pytest.raises(MessageGone):
            await several[0].client("T0NOBODY")


async def test_everybody_can_write_while_slack_is_asked_for_a_token(installing: Installing) -> None:
    await installing.install(installing.chat.ann)
    slack, database = installing.chat.slack, installing.chat.parts.database
    await ends_in(database, timedelta(minutes=50))
    slack.hang_next("oauth.v2.access")
    async with open_session() as session:
        one = Workspaces(database, installing.chat.parts.settings, session)
        asking = asyncio.create_task(one.client(slack.team.id))
        await eventually(lambda: exchanges(slack) == 1)
        async with database.write() as opened:
            await opened.execute(update(SLACK_BOTS).values(team_name="Renamed"))
        assert not asking.done()
        asking.cancel()


async def test_what_a_process_that_died_had_begun_another_begins_anew(
    installing: Installing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspaces, "LEASE", 1.0)
    await installing.install(installing.chat.ann)
    slack, parts = installing.chat.slack, installing.chat.parts
    await ends_in(parts.database, timedelta(minutes=-1))
    async with parts.database.write() as session:
        assert await workspaces._claim(session, slack.team.id)
    async with open_session() as http:
        client = await Workspaces(parts.database, parts.settings, http).client(slack.team.id)
    assert [client.token] == await installing.bots() and exchanges(slack) == 1


def test_an_answer_without_an_end_is_a_token_that_does_not_end() -> None:
    given = workspaces.read_exchange({"access_token": "xoxb-1"})
    assert (given["bot_token"], given["bot_refresh_token"], given["bot_token_expires_at"]) == (
        "xoxb-1",
        None,
        None,
    )
    for answer in ({}, {"access_token": ""}, {"access_token": 1, "expires_in": 5}):
        with pytest.raises(ValueError, match="no token"):
            workspaces.read_exchange(answer)


async def test_an_exchange_that_fails_leaves_the_old_token(installing: Installing) -> None:
    await installing.install(installing.chat.ann)
    slack, parts = installing.chat.slack, installing.chat.parts
    first = (await installing.bots())[0]
    await ends_in(parts.database, timedelta(minutes=50))
    async with open_session() as session:
        one = Workspaces(parts.database, parts.settings, session)
        slack.fail_next("oauth.v2.access", "internal_error")
        assert (await one.client(slack.team.id)).token == first


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
        await ends_in(database, timedelta(minutes=-1))
        several = [Workspaces(database, settings, session) for _ in range(3)]
        clients = await asyncio.gather(*(one.client(slack.team.id) for one in several))
    assert len({client.token for client in clients}) == 1, (
        "the old one has ended, so they wait for the new one"
    )
    assert exchanges(slack) == 1


async def ends_in(database: Database, time: timedelta) -> None:
    """All tokens end then."""
    async with database.write() as session:
        end = datetime.now(UTC).replace(tzinfo=None) + time
        await session.execute(update(SLACK_BOTS).values(bot_token_expires_at=end))


def exchanges(slack: SlackDouble) -> int:
    """How often Slack was asked for another token."""
    return len([call for call in slack.made("oauth.v2.access") if call.text("grant_type")])


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


def install_link(page: str) -> str:
    """Where the button leads."""
    start = page.index('href="https://slack.com/oauth') + len('href="')
    return page[start : page.index('"', start)].replace("&amp;", "&")
