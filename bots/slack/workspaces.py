"""Many workspaces: each has installed the app by itself, and its tokens are in the database.

Tokens that expire are exchanged before they do, by one process at a time: Slack takes a refresh token once.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store.sqlalchemy import AsyncSQLAlchemyInstallationStore
from slack_sdk.oauth.state_store.sqlalchemy import AsyncSQLAlchemyOAuthStateStore
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bots.slack.manifest import INSTALL_PATH, REDIRECT_PATH, SCOPES
from shared.chat.port import MessageGone
from shared.chat.slack.errors import code_of
from shared.chat.slack.web import web_client
from shared.database import Database
from shared.models import SLACK_BOTS
from shared.settings import Settings

log = logging.getLogger(__name__)

KNOWN_FOR = 60.0  # seconds that a token counts without another look
EARLY = timedelta(hours=2)  # before it expires, a token is exchanged for another one
PATIENCE = 8.0  # seconds an exchange may take: on SQLite nobody else writes meanwhile
INSTALLING = 600  # seconds somebody may take to press Allow

_sdk_log = logging.getLogger("bots.slack.oauth")
_sdk_log.setLevel(logging.INFO)  # at DEBUG the SDK logs rows with tokens

Row = Mapping[str, Any]


class Workspaces:
    """The clients of all workspaces. `close` waits for what was begun."""

    def __init__(self, database: Database, settings: Settings, session: aiohttp.ClientSession) -> None:
        self._database = database
        self._settings = settings
        self._session = session
        self._known: dict[str, tuple[float, AsyncWebClient]] = {}
        self._exchanges: dict[str, asyncio.Task[str]] = {}

    async def client(self, team: str) -> AsyncWebClient:
        """The client of a workspace. Raises MessageGone when the app is not installed there."""
        until, client = self._known.get(team, (0.0, None))
        if client is not None and time.monotonic() < until:
            return client
        async with self._database.read() as session:
            row = await self._row(session, team)
        token = await self._exchanged(team) if _is_due(row) else str(row["bot_token"])
        client = web_client(token, self._settings.slack_api_url, self._session)
        self._known[team] = time.monotonic() + KNOWN_FOR, client
        return client

    async def close(self) -> None:
        """Let exchanges end: what Slack gave must be stored."""
        await asyncio.gather(*self._exchanges.values(), return_exceptions=True)

    async def _exchanged(self, team: str) -> str:
        """A fresh token. Whoever waits may give up; the exchange goes on."""
        task = self._exchanges.get(team)
        if task is None:
            task = self._exchanges[team] = asyncio.create_task(self._exchange(team))
            task.add_done_callback(lambda _: self._exchanges.pop(team, None))
        return await asyncio.shield(task)

    async def _exchange(self, team: str) -> str:
        async with self._database.write() as session:  # the row is locked: others wait, and see the new token
            row = await self._row(session, team, alone=True)
            if not _is_due(row):
                return str(row["bot_token"])
            try:
                given = await self._ask(str(row["bot_refresh_token"]))
            except (SlackApiError, aiohttp.ClientError, OSError) as error:
                why = code_of(error) if isinstance(error, SlackApiError) else type(error).__name__
                log.warning("workspace %s: its token was not exchanged: %s", team, why)
                return str(row["bot_token"])
            fresh = {
                "bot_token": given["access_token"],
                "bot_refresh_token": given.get("refresh_token"),
                "bot_token_expires_at": _now() + timedelta(seconds=int(given["expires_in"])),
            }
            await session.execute(update(SLACK_BOTS).where(SLACK_BOTS.c.id == row["id"]).values(fresh))
        log.info("workspace %s: its token was exchanged", team)
        return str(fresh["bot_token"])

    async def _ask(self, refresh_token: str) -> dict[str, Any]:
        web = web_client("", self._settings.slack_api_url, self._session)
        async with asyncio.timeout(PATIENCE):
            answer = await web.oauth_v2_access(
                client_id=self._settings.slack_client_id,
                client_secret=self._settings.slack_client_secret,
                grant_type="refresh_token",
                refresh_token=refresh_token,
            )
        return dict(answer.data) if isinstance(answer.data, dict) else {}

    async def _row(self, session: AsyncSession, team: str, *, alone: bool = False) -> Row:
        """The newest installation in this workspace; `alone` keeps others from it until the end."""
        bots = SLACK_BOTS.c
        here = select(SLACK_BOTS).where(
            bots.client_id == self._settings.slack_client_id,
            bots.team_id == team,
            bots.bot_token.is_not(None),
        )
        query = here.order_by(bots.installed_at.desc(), bots.id.desc()).limit(1)
        row = (await session.execute(query.with_for_update() if alone else query)).mappings().first()
        if row is None:
            raise MessageGone(f"the app is not installed in workspace {team}")
        return {str(name): value for name, value in row.items()}


def install_flow(settings: Settings, database: Database, session: aiohttp.ClientSession) -> AsyncOAuthFlow:
    """How a workspace installs the app: bolt's pages, on our database."""
    client_id, engine = settings.slack_client_id, database.engine
    return AsyncOAuthFlow(
        client=web_client("", settings.slack_api_url, session),
        logger=_sdk_log,
        settings=AsyncOAuthSettings(
            client_id=client_id,
            client_secret=settings.slack_client_secret,
            scopes=tuple(SCOPES),
            redirect_uri=settings.effective_public_url + REDIRECT_PATH,
            install_path=INSTALL_PATH,
            redirect_uri_path=REDIRECT_PATH,
            installation_store=AsyncSQLAlchemyInstallationStore(client_id, engine, logger=_sdk_log),
            state_store=AsyncSQLAlchemyOAuthStateStore(INSTALLING, engine, logger=_sdk_log),
            state_expiration_seconds=INSTALLING,
            logger=_sdk_log,
        ),
    )


def _is_due(row: Row) -> bool:
    expires_at = row["bot_token_expires_at"]
    return bool(expires_at and row["bot_refresh_token"] and expires_at < _now() + EARLY)


def _now() -> datetime:
    """As the SDK stores it: UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)
