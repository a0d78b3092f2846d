"""Results for places that the app is not in: to whoever asked, alone.

Slack gives an address with a command, a shortcut or a form, under which the app may answer there five times
within half an hour. It is kept with the request. A result that comes later, or whose address is used up, goes
to the person as a direct message, so that nobody waits for nothing.
"""

import logging

from bots.slack import texts
from shared.chat.port import MessageGone
from shared.chat.slack.client import SlackClient
from shared.chat.slack.errors import NotInvited
from shared.models import Request
from shared.results import JobView

log = logging.getLogger(__name__)

OUTSIDE = "outside"  # the reference of a message that cannot be edited


class ReachingClient:
    """The `MessageClient` of Slack, inside channels and outside."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client

    async def post(self, request: Request, view: JobView) -> str:
        """See `MessageClient.post`; where the app is not invited it says so, and how to invite it."""
        try:
            return await self._client.post(request, view)
        except NotInvited:
            log.info("request %s: the app is not in the channel", request.id)
            await self._tell(request, view)
            return OUTSIDE

    async def edit(self, request: Request, message: str, view: JobView) -> None:
        """See `MessageClient.edit`; outside there is no progress, and the result is a new message."""
        if message == OUTSIDE:
            if not view.state.is_active:
                await self._tell(request, view)
            return
        try:
            await self._client.edit(request, message, view)
        except NotInvited:  # it was thrown out meanwhile
            if view.state.is_active:
                raise
            await self._tell(request, view)

    async def _tell(self, request: Request, view: JobView) -> None:
        if request.reply_to:
            try:
                told = texts.outside(view, request.id, texts.INVITE)
                await self._client.respond(request.reply_to, told)
                return
            except MessageGone:
                log.info("request %s: its address for answers is used up", request.id)
        await self._client.say(request.user_id, texts.outside(view, request.id, texts.ELSEWHERE))
