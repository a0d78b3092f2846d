"""Who may act for others in a workspace: its admins and owners."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError

from bots.slack.deeds import Speaker
from shared.chat.port import MessageGone
from shared.chat.slack.errors import code_of
from shared.chat.slack.web import Clients
from shared.recent import Recent

log = logging.getLogger(__name__)

KNOWN_FOR = 60.0  # seconds that an answer counts
REMEMBERED = 1000  # answers
PATIENCE = 2.0  # seconds to wait for one: Slack waits for us meanwhile, three at most


class Admins:
    """Asks Slack, and remembers the answer for a while."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._known: Recent[str, tuple[float, bool]] = Recent(REMEMBERED)

    async def is_admin(self, speaker: Speaker) -> bool:
        """Whether this person may act for others; no, when Slack does not say."""
        now = time.monotonic()
        asked_at, answer = self._known.get(speaker.user_id, (-KNOWN_FOR, False))
        if now - asked_at < KNOWN_FOR:
            return answer
        try:
            async with asyncio.timeout(PATIENCE):
                web = await self._clients(speaker.team)
                user = (await web.users_info(user=speaker.user))["user"]
        except SlackApiError as error:
            log.info("Slack does not say who is an admin: %s", code_of(error))
            return False
        except (aiohttp.ClientError, OSError, MessageGone) as error:
            log.info("Slack cannot be asked who is an admin: %s", type(error).__name__)
            return False
        is_admin = bool(user.get("is_admin") or user.get("is_owner")) and _belongs(user, speaker.team)
        self._known[speaker.user_id] = now, is_admin
        return is_admin


def _belongs(user: Mapping[str, Any], team: str) -> bool:
    """Whether it is a workspace of theirs: in a shared channel there are admins of other ones too."""
    teams = (user.get("enterprise_user") or {}).get("teams") or ()
    return user.get("team_id") in (None, team) or team in teams
