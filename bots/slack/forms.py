"""Modals that were filled in: a link to fetch, and who shall see a transcript."""

import logging
from dataclasses import replace

import aiohttp
from slack_sdk.errors import SlackApiError

from bots.commands import Command, parse
from bots.desk import UNKNOWN_BUTTON, Asked, Refused
from bots.slack import texts, views
from bots.slack.deeds import Filled, Said, Speaker
from bots.slack.handlers import SlackBot
from shared.chat.port import MessageGone, Throttled
from shared.chat.slack.chats import chat_id
from shared.chat.slack.client import SlackClient
from shared.chat.slack.errors import NotInvited
from shared.chat.slack.files import Place
from shared.chat.slack.sharing import place_key
from shared.errors import CommandError, JobError

log = logging.getLogger(__name__)

Mistakes = dict[str, str]
"""What is wrong, by the input it stands under."""


class Forms:
    """Both modals. `filled` returns what is wrong with the words in them; nothing: it is done."""

    def __init__(self, bot: SlackBot, client: SlackClient) -> None:
        self._bot = bot
        self._client = client

    async def filled(self, filled: Filled) -> Mistakes:
        """Do what the form asks for."""
        match filled.callback_id:
            case views.FETCH:
                return await self._fetch(filled)
            case views.SHARE:
                return await self._share(filled)
        return {}

    async def _fetch(self, filled: Filled) -> Mistakes:
        try:
            commands = _commands(filled)
        except _Mistake as mistake:
            return {mistake.where: str(mistake)}
        said = Said(filled.speaker, "", filled.event)
        try:
            answer = await self._bot.stored(filled.speaker, self._bot.take(commands, said))
        except Refused as refused:
            return {"link": texts.why(refused)}
        if answer is not None:  # nothing that a form asks for is answered
            self._bot.replies.tell(filled.speaker, answer)
        return {}

    async def _share(self, filled: Filled) -> Mistakes:
        private = filled.values.get("who") == views.PRIVATE
        channel = filled.values.get("where")
        if not private and not channel:
            return {"where": texts.NEEDS_CHANNEL}
        try:
            request_id, asked_in = views.read_share_note(filled.note)
            there = replace(filled.speaker, channel=asked_in)  # an admin may act there, not where it goes
            asked = await self._bot.stored(filled.speaker, self._bot.mine(request_id, there))
        except (Refused, ValueError) as refused:
            return {"who": texts.why(refused) if isinstance(refused, Refused) else UNKNOWN_BUTTON}
        speaker = filled.speaker
        if private or channel is None:
            self._bot.replies.tell(speaker, texts.transcript(asked.view))
        else:
            where = channel
            self._bot.replies.begin(speaker.user_id, lambda: self._post(asked, speaker, where))
        return {}

    async def _post(self, asked: Asked, speaker: Speaker, channel: str) -> None:
        """Post the transcript, and say how that went when nobody would see it otherwise."""
        request = asked.request
        key = place_key(request.id.hex, channel)
        place = Place(channel, key, since=str(request.created_at.timestamp()))
        chat, told = chat_id(speaker.team, channel), texts.sentence(texts.NO_TRANSCRIPT)
        replies = self._bot.replies
        try:
            if await replies.in_turn(chat, lambda: self._client.share(chat, place, asked.view)):
                return
        except NotInvited:
            told = texts.not_in(channel)
        except (SlackApiError, MessageGone, Throttled, aiohttp.ClientError, OSError) as error:
            log.warning("a transcript could not be shared: %r", error)
            told = texts.sentence(texts.NOT_SHARED)
        await replies.say(speaker, told)


class _Mistake(Exception):
    def __init__(self, where: str, sentence: str) -> None:
        super().__init__(sentence)
        self.where = where


def _commands(filled: Filled) -> tuple[Command, ...]:
    """The form as if it had been typed: one grammar for everything. Raises _Mistake."""
    link, values = filled.values.get("link", ""), filled.values
    languages = " ".join(values.get("languages", "").replace(",", " ").split())
    try:
        parse(link)
    except (CommandError, JobError) as error:
        raise _Mistake("link", texts.why(error)) from error
    if values.get("format") == views.TRANSCRIPT:
        line = f"/subs {link} {languages}"
    else:
        wanted = " ".join(filter(None, (values.get("quality"), values.get("format"))))
        line = f"/get {link} {wanted}" + (f" subs {languages}" if languages else "")
    try:
        return parse(line)
    except (CommandError, JobError) as error:
        raise _Mistake("languages" if languages else "link", texts.why(error)) from error
