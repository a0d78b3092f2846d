"""The app's life in one process: it learns whether Slack knows it, shows, listens, and ends well."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError

from bots.herald import Herald
from bots.platforms import installs, wants_http
from bots.slack.replies import Replies
from bots.slack.socket import connected
from shared.chat.slack.errors import WRONG_TOKEN, code_of
from shared.chat.slack.web import web_client
from shared.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

GRACE = 3.0  # seconds that sentences get to end
PAUSES = (1.0, 30.0)  # seconds between two tries at the start: at first, at most

UNKNOWN = "Slack does not know %s (%s): see the app's page at api.slack.com/apps. Slack is off"


class SlackLife:
    """Without a herald nobody is shown anything here: what Slack posts is stored only.

    `on_ready` is called once Slack knows the app: from then on messages can be sent.
    """

    def __init__(
        self,
        settings: Settings,
        session: aiohttp.ClientSession,
        app: AsyncApp,
        replies: Replies,
        herald: Herald | None,
        on_ready: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._session = session
        self._app = app
        self._replies = replies
        self._herald = herald
        self._on_ready = on_ready

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """Live while the block runs. At the end nothing more is taken, and what has come is ended."""
        async with asyncio.TaskGroup() as group:
            life = group.create_task(self._run())
            try:
                yield
            finally:
                life.cancel()
                await asyncio.wait({life})
                await self._replies.settle(GRACE)

    async def _run(self) -> None:
        if self._herald is None or not await self._is_known():
            return
        self._on_ready()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._herald.run())
            if self._settings.slack_app_token:
                await self._listen()
            elif wants_http(self._settings):
                log.info("Slack: what people say comes to /slack/events of the web endpoint")

    async def _listen(self) -> None:
        token, url = self._settings.slack_app_token, self._settings.slack_api_url
        web = web_client(token, url, self._session)
        opened = await self._insisting(
            "LINKFERRY_SLACK_APP_TOKEN", lambda: web.apps_connections_open(app_token=token)
        )
        if opened is None:
            return
        async with connected(self._app, token, url, self._session, opened["url"]):
            await asyncio.Event().wait()

    async def _is_known(self) -> bool:
        """Whether Slack knows the bot's token; workspaces that install the app bring their own."""
        token = self._settings.slack_bot_token
        if not token or installs(self._settings):
            return True
        web = web_client(token, self._settings.slack_api_url, self._session)
        return await self._insisting("LINKFERRY_SLACK_BOT_TOKEN", web.auth_test) is not None

    async def _insisting(self, name: str, call: Callable[[], Awaitable[T]]) -> T | None:
        """Call until it works; None when Slack does not know the token of this name."""
        pause = PAUSES[0]
        while True:
            try:
                return await call()
            except SlackApiError as error:
                if code_of(error) in WRONG_TOKEN:
                    log.error(UNKNOWN, name, code_of(error))
                    return None
                log.warning("Slack refuses: %s", code_of(error))
            except (aiohttp.ClientError, OSError) as error:
                log.warning("Slack cannot be reached: %s", type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(PAUSES[1], 2 * pause)
