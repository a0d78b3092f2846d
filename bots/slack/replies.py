"""Sentences to people in Slack, see `Background`: where they spoke, or by the address that came with it."""

import asyncio
import logging

import aiohttp
from slack_sdk.errors import SlackApiError

from bots.background import Background
from bots.slack.deeds import Speaker, Way
from shared.chat.paced import PacedClient
from shared.chat.port import MessageGone
from shared.chat.slack.blocks import Message
from shared.chat.slack.client import SlackClient
from shared.chat.slack.errors import NotInvited

log = logging.getLogger(__name__)

RESPOND_PAUSES = (0.5, 3.0)  # seconds after an answer that Slack did not take, before the next try


class Replies(Background):
    """Says things to the person who spoke, to nobody else."""

    def __init__(self, client: SlackClient, paced: PacedClient) -> None:
        super().__init__(paced, SlackApiError, aiohttp.ClientError)
        self._client = client

    def tell(self, speaker: Speaker, told: Message) -> None:
        """Where the person spoke."""
        self.begin(speaker.user_id, lambda: self.say(speaker, told))

    async def say(self, speaker: Speaker, told: Message) -> None:
        """The same, at once. Raises what `SlackClient.say` does."""
        if speaker.answer_url is not None and await self._respond(speaker.answer_url, told):
            return
        if speaker.way in (Way.DIRECT, Way.HOME, Way.FORM):  # nobody else is there
            where = speaker.chat_id if speaker.way is Way.DIRECT else speaker.user_id
            await self.in_turn(where, lambda: self._client.say(where, told, speaker.thread))
            return
        where, who = speaker.chat_id, speaker.user
        try:
            await self.in_turn(where, lambda: self._client.whisper(where, who, told, speaker.thread))
        except NotInvited:
            await self.in_turn(speaker.user_id, lambda: self._client.say(speaker.user_id, told))

    async def _respond(self, url: str, told: Message) -> bool:
        """Answer where a command was given, and insist a little; False when the address is used up."""
        for pause in RESPOND_PAUSES:
            try:
                await self._client.respond(url, told)
                return True
            except MessageGone:
                log.info("an address for answers is used up")
                return False
            except (aiohttp.ClientError, OSError) as error:
                log.info("Slack did not take an answer: %s", type(error).__name__)
            await asyncio.sleep(pause)
        await self._client.respond(url, told)
        return True
