"""The client and the pages for installing, against a Slack that somebody else wrote: `tests.slack.emulate`.

Its scopes are strict, and the app has those of the manifest only.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import pytest_asyncio

from bots.slack import views
from bots.slack.http import install_router
from bots.slack.installing import install_flow
from bots.slack.manifest import SCOPES
from bots.slack.workspaces import Workspaces
from shared.chat.port import MessageGone
from shared.chat.slack.chats import chat_id
from shared.chat.slack.client import EVENT
from shared.chat.slack.errors import NotInvited
from shared.chat.slack.web import open_session, web_client
from shared.settings import Settings
from shared.storage import LocalStorage
from tests.bots.slack.test_http import site
from tests.bots.slack.test_workspaces import install_link
from tests.shared.chat.slack.conftest import Desk
from tests.shared.chat.slack.views import NASTY
from tests.slack.emulate import REDIRECT, Emulate
from tests.sqlite import new_database

pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated")  # the SDK's, in aiohttp


@pytest_asyncio.fixture
async def slack() -> AsyncIterator[Emulate]:
    async with Emulate(SCOPES) as running:
        yield running


@pytest_asyncio.fixture
async def desk(slack: Emulate, tmp_path: Path) -> AsyncIterator[Desk]:
    database = await new_database(tmp_path)
    settings = Settings(
        _env_file=None, data_dir=tmp_path, public_url="https://ferry.test", slack_api_url=slack.api_url,
        slack_client_id=slack.client_id, slack_client_secret=slack.client_secret,
    )  # fmt: skip
    async with open_session() as session:
        there: dict[str, Any] = {"slack": slack, "ann": slack.ann, "channel": slack.films}
        yield Desk(
            **there,  # as far as a desk needs them
            session=session,
            database=database,
            storage=LocalStorage(tmp_path / "files"),
            settings=settings,
            folder=tmp_path,
        )
    await database.close()


async def test_one_message_is_edited_to_the_end_and_forbids_previews(slack: Emulate, desk: Desk) -> None:
    request = await desk.asks(await desk.job(title=NASTY))
    message = await desk.posts(request)
    (posted,) = await slack.messages()
    await desk.delivers(request, message)
    (ended,) = await slack.messages()
    assert posted["ts"] == ended["ts"] == message and posted["blocks"] != ended["blocks"]
    assert ended["metadata"] == {"event_type": EVENT, "event_payload": {"request": request.id.hex}}
    assert (ended["unfurl_links"], ended["unfurl_media"], ended["parse"]) == (False, False, "none")
    assert "<!channel>" not in str(ended["blocks"]) + ended["text"]


async def test_a_message_that_was_not_noted_is_found_by_its_metadata(slack: Emulate, desk: Desk) -> None:
    request = await desk.asks()
    message = await desk.posts(request)
    request.post_after = datetime.now(UTC)
    assert await desk.posts(request, desk.another()) == message
    assert len(await slack.messages()) == 1


async def test_a_transcript_is_in_the_thread_once_and_whole(slack: Emulate, desk: Desk) -> None:
    request = await desk.asks(await desk.job(await desk.transcript(b"Hello there.\n"), title=NASTY))
    message = await desk.posts(request)
    for client in (desk.client, desk.another()):
        await desk.delivers(request, message, client)
    _, summary, shown = await slack.messages(thread=message)
    assert summary["unfurl_links"] is False and "Hello there." in str(summary["blocks"])
    (file,) = shown["files"]
    assert file["name"] == "Film.txt" and await slack.content(file) == b"Hello there.\n"


async def test_what_it_refuses_is_understood(slack: Emulate, desk: Desk) -> None:
    assert await desk.client.say(desk.chat(), "Hello")
    await desk.client.whisper(desk.chat(), slack.ann.id, "Hello")
    with pytest.raises(NotInvited):
        await desk.client.say(chat_id(slack.team.id, "C0NOSUCH00"), "Hello")
    with pytest.raises(MessageGone):
        await desk.client.edit(await desk.asks(), "1.000001", await desk.view(await desk.job()))


async def test_forms_and_the_home_tab_are_taken(slack: Emulate, desk: Desk) -> None:
    web = web_client(slack.token, slack.api_url, desk.session)
    assert (await web.views_publish(user_id=slack.ann.id, view=views.home([])))["ok"]
    for form in (views.fetch_form(), views.share_form(await desk.asks())):
        trigger = (await slack.sees("views.generateTriggerId"))["trigger_id"]
        opened = (await web.views_open(trigger_id=trigger, view=form))["view"]
        assert (opened["callback_id"], len(opened["blocks"])) == (form["callback_id"], len(form["blocks"]))
    assert not (await web.users_info(user=slack.ann.id))["user"]["is_admin"]


async def test_a_workspace_installs_the_app_and_its_token_is_good(slack: Emulate, desk: Desk) -> None:
    app = site([install_router(install_flow(desk.settings, desk.database, desk.session))])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="https://ferry.test"
    ) as browser:
        page = await browser.get("/slack/install")
        back = await slack.allows(dict(parse_qsl(urlsplit(install_link(page.text)).query)))
        assert back.startswith(REDIRECT)
        assert (await browser.get(back)).status_code == 200
    web = await Workspaces(desk.database, desk.settings, desk.session).client(slack.team.id)
    whose = await web.auth_test()
    assert whose["team_id"] == slack.team.id and web.token != slack.token
