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
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.chat.port import MessageGone
from shared.chat.slack.errors import code_of
from shared.chat.slack.web import web_client
from shared.database import Database, db_now, upsert
from shared.models import SLACK_BOTS, Base, CoolDown, table
from shared.settings import Settings
from shared.slack_tables import BOTS, INSTALLATIONS

log = logging.getLogger(__name__)

KNOWN_FOR = 60.0  # seconds that a token counts without another look
EARLY = timedelta(hours=2)  # before it expires, a token is exchanged for another one
PATIENCE = 8.0  # seconds Slack may take for an exchange
LEASE = 30.0  # seconds in which one process alone may exchange a workspace's token
PAUSE = 0.3  # seconds between two looks for the token that another process gets
STORING = 60.0  # seconds the database may be away before a new token is lost

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

    async def forget(self, team: str, left_at: datetime) -> None:
        """The app was taken out of a workspace then: its tokens are no longer good. An installation that
        is newer stays. Other processes learn it from Slack, or within a minute."""
        self._known.pop(team, None)
        until = left_at.astimezone(UTC).replace(tzinfo=None) + timedelta(seconds=1)  # Slack's are whole ones
        async with self._database.write() as session:
            for name in (BOTS, INSTALLATIONS):
                rows = Base.metadata.tables[name]
                await session.execute(
                    delete(rows).where(
                        rows.c.client_id == self._settings.slack_client_id,
                        rows.c.team_id == team,
                        rows.c.installed_at <= until,
                    )
                )

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
        """One process asks Slack. The others go on with the old token; where it has ended, they wait."""
        give_up = time.monotonic() + LEASE
        while True:
            async with self._database.write() as session:
                is_mine = await _claim(session, team)
                row = await self._row(session, team)  # after the claim: nobody changes it from now on
            if not _is_due(row):
                return str(row["bot_token"])
            if is_mine:
                return await self._renew(team, row)
            if row["bot_token_expires_at"] > _now() or time.monotonic() > give_up:
                return str(row["bot_token"])
            await asyncio.sleep(PAUSE)

    async def _renew(self, team: str, row: Row) -> str:
        """Ask for another token and store it; the old one when Slack gives none."""
        try:
            fresh = await self._ask(str(row["bot_refresh_token"]))
        except (SlackApiError, aiohttp.ClientError, OSError, ValueError) as error:
            why = code_of(error) if isinstance(error, SlackApiError) else type(error).__name__
            log.warning("workspace %s: its token was not exchanged: %s", team, why)
            return str(row["bot_token"])  # nobody asks again before the claim ends

        async def store(session: AsyncSession) -> None:
            await session.execute(update(SLACK_BOTS).where(SLACK_BOTS.c.id == row["id"]).values(fresh))
            await session.execute(delete(CoolDown).where(CoolDown.site == _claim_name(team)))

        await self._database.write_surely(store, patience=STORING)
        log.info("workspace %s: its token was exchanged", team)
        return str(fresh["bot_token"])

    async def _ask(self, refresh_token: str) -> dict[str, Any]:
        """What Slack gives for a refresh token, as columns. Raises ValueError: it gives none."""
        web = web_client("", self._settings.slack_api_url, self._session)
        async with asyncio.timeout(PATIENCE):
            answer = await web.oauth_v2_access(
                client_id=self._settings.slack_client_id,
                client_secret=self._settings.slack_client_secret,
                grant_type="refresh_token",
                refresh_token=refresh_token,
            )
        return read_exchange(answer.data if isinstance(answer.data, dict) else {})

    async def _row(self, session: AsyncSession, team: str) -> Row:
        """The newest installation in this workspace. Raises MessageGone when there is none."""
        bots = SLACK_BOTS.c
        here = select(SLACK_BOTS).where(
            bots.client_id == self._settings.slack_client_id,
            bots.team_id == team,
            bots.bot_token.is_not(None),
        )
        query = here.order_by(bots.installed_at.desc(), bots.id.desc()).limit(1)
        row = (await session.execute(query)).mappings().first()
        if row is None:
            raise MessageGone(f"the app is not installed in workspace {team}")
        return {str(name): value for name, value in row.items()}


def read_exchange(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that an exchange changes. A token that does not say when it ends does not end.

    Raises ValueError for an answer without a token.
    """
    token, refresh = answer.get("access_token"), answer.get("refresh_token")
    if not (isinstance(token, str) and token):
        raise ValueError("no token in the answer")
    seconds = answer.get("expires_in")
    ends = _now() + timedelta(seconds=seconds) if isinstance(seconds, int | float) else None
    return {"bot_token": token, "bot_refresh_token": refresh or None, "bot_token_expires_at": ends}


async def _claim(session: AsyncSession, team: str) -> bool:
    """Whether this process may exchange the token of a workspace; nobody else may for a while then.

    It is a cool-down: Slack takes a refresh token once, and no transaction may stay open while it is asked.
    """
    until = db_now(LEASE)
    claim = upsert(session, table(CoolDown)).values(site=_claim_name(team), until=until)
    claim = claim.on_conflict_do_update(
        index_elements=[CoolDown.site], set_={"until": until}, where=CoolDown.until <= db_now()
    )
    return (await session.execute(claim.returning(CoolDown.site))).first() is not None


def _claim_name(team: str) -> str:
    return f"slack token {team}"  # no site has blanks in its name


def _is_due(row: Row) -> bool:
    expires_at = row["bot_token_expires_at"]
    return bool(expires_at and row["bot_refresh_token"] and expires_at < _now() + EARLY)


def _now() -> datetime:
    """As the SDK stores it: UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)
