"""Brings status messages and answers to Slack. Nothing here waits for its turn: `PacedClient` does."""

from datetime import UTC, datetime
from uuid import UUID

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from shared.chat.port import MessageGone, Throttled
from shared.chat.slack.blocks import Message, message
from shared.chat.slack.chats import split_chat
from shared.chat.slack.errors import is_uncertain, rest, translate
from shared.chat.slack.files import Place
from shared.chat.slack.looking import Metadata, find_message
from shared.chat.slack.render import status
from shared.chat.slack.sending import NO_PREVIEW, SILENT, replace, send
from shared.chat.slack.sharing import Sharing, place_of
from shared.chat.slack.web import SDK_LOG, Clients
from shared.models import Request
from shared.recent import Recent
from shared.results import JobView

EVENT = "linkferry_request"  # the metadata by which a status message can be found again
OLD = 15.0  # seconds after which a request without a message may have one that a crash kept from being noted
CLOCKS = 60.0  # seconds by which Slack's clock and the database's may differ
REMEMBERED = 1000  # posts of which nobody knows; what others know about them is in the database
STUBBORN = 10  # deliveries that failed, some five minutes, after which links have to do for a transcript


class SlackClient:
    """The `MessageClient` of Slack. A message's reference is its timestamp, `ts`.

    `clients` gives each workspace's Web API client, see `web`; `session` is for answers by `response_url`;
    `sharing` posts transcripts.
    """

    def __init__(self, clients: Clients, session: aiohttp.ClientSession, sharing: Sharing) -> None:
        self._clients = clients
        self._session = session
        self._sharing = sharing
        self._unsure: Recent[UUID, None] = Recent(REMEMBERED)  # requests whose post may have arrived unheard

    async def post(self, request: Request, view: JobView) -> str:
        """See `MessageClient.post`; a post whose answer was lost is looked for before there is another.

        Raises:
            NotInvited: the app is not in the channel.
        """
        web, channel = await self._reach(request.chat_id)
        found = await self._lost(web, channel, request)
        if found is None:
            self._unsure[request.id] = None  # until there is an answer: a call that is cut short leaves it so
            told = status(view, request.id)
            try:
                found = await send(web, channel, told, request.thread_id, _metadata(request.id))
            except SlackApiError as error:
                if not is_uncertain(error):
                    self._unsure.pop(request.id, None)
                raise translate(error) from error
        self._unsure.pop(request.id, None)
        return found

    async def edit(self, request: Request, message: str, view: JobView) -> None:
        """See `MessageClient.edit`; a finished transcript is then posted in the message's thread, once."""
        web, channel = await self._reach(request.chat_id)
        try:
            await replace(web, channel, message, status(view, request.id))
            place = place_of(request, channel, message, view)
            if place is not None and request.delivery_failures < STUBBORN:
                await self._sharing.share(web, place, view)
        except SlackApiError as error:
            raise translate(error) from error

    async def say(self, chat: str, words: Message | str, thread_id: str | None = None) -> str:
        """A message that everybody in the chat sees; returns its `ts`. Raises as `post` does."""
        web, channel = await self._reach(chat)
        try:
            return await send(web, channel, _message(words), thread_id)
        except SlackApiError as error:
            raise translate(error) from error

    async def whisper(self, chat: str, user: str, words: Message | str, thread_id: str | None = None) -> None:
        """A message that one person sees, until they reload. Raises as `post` does."""
        web, channel = await self._reach(chat)
        told = _message(words)
        try:
            await web.chat_postEphemeral(
                channel=channel, user=user, text=told.text, blocks=told.blocks, thread_ts=thread_id, **SILENT
            )
        except SlackApiError as error:
            raise translate(error) from error

    async def respond(self, response_url: str, words: Message | str) -> None:
        """An answer where a command was given or a button pressed, also in channels the app is not in.

        Only who did so sees it. An address takes five answers within half an hour.

        Raises:
            MessageGone: the address is used up.
            Throttled: Slack wants rest.
            OSError, aiohttp.ClientError: it did not arrive.
        """
        told = _message(words)
        hook = AsyncWebhookClient(response_url, session=self._session, retry_handlers=[], logger=SDK_LOG)
        answer = await hook.send(
            text=told.text,
            blocks=told.blocks,
            response_type="ephemeral",
            replace_original=False,
            **NO_PREVIEW,
        )
        if answer.status_code == 429:
            raise Throttled(rest(answer.headers))
        if answer.status_code in (403, 404, 410):
            raise MessageGone(answer.body[:100])
        if answer.status_code != 200:
            raise OSError(f"Slack answered {answer.status_code}: {answer.body[:100]}")

    async def share(self, chat: str, place: Place, view: JobView) -> bool:
        """Post a finished job's transcripts somewhere else; see `Sharing.share`. Raises as `post` does."""
        web, _ = await self._reach(chat)
        try:
            return await self._sharing.share(web, place, view)
        except SlackApiError as error:
            raise translate(error) from error

    async def _reach(self, chat: str) -> tuple[AsyncWebClient, str]:
        team, channel = split_chat(chat)
        return await self._clients(team), channel

    async def _lost(self, web: AsyncWebClient, channel: str, request: Request) -> str | None:
        """The message that the request may have already, if so and if it can be found.

        Reading a channel's history needs a scope that the app can do without: then there may be two
        messages, which is better than none. The result is shown in the one that is known.
        """
        unsure = request.id in self._unsure or request.post_after is not None  # somebody was at it before
        if not unsure and (datetime.now(UTC) - request.created_at).total_seconds() < OLD:
            return None
        since = str(request.created_at.timestamp() - CLOCKS)
        try:
            return await find_message(web, channel, request.thread_id, since, _metadata(request.id))
        except SlackApiError as error:
            if unsure:
                raise translate(error) from error
            return None


def _metadata(request_id: UUID) -> Metadata:
    return {"event_type": EVENT, "event_payload": {"request": request_id.hex}}


def _message(words: Message | str) -> Message:
    return message(words) if isinstance(words, str) else words
