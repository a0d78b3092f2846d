"""Sentences to people in Telegram, see `Background`; and what ends a button's waiting."""

from telegram.error import TelegramError

from bots.background import Background, Call
from bots.telegram.reading import Pressed, Speaker
from shared.chat.paced import PacedClient
from shared.chat.telegram.client import TelegramClient
from shared.chat.telegram.render import Message


class Replies(Background):
    """Says things at the chat's pace."""

    def __init__(self, client: TelegramClient, paced: PacedClient) -> None:
        super().__init__(paced, TelegramError)
        self._client = client

    def say(self, speaker: Speaker, message: Message) -> None:
        """A new message where the person spoke; in groups it answers what was said."""
        reply_to = None if speaker.is_private else speaker.message_id
        where, text, buttons = speaker.chat_id, message.text_html, message.buttons
        self._say_in(
            where,
            lambda: self._client.say(
                where, text, thread_id=speaker.thread_id, reply_to=reply_to, buttons=buttons
            ),
        )

    def restate(self, speaker: Speaker, message: Message) -> None:
        """Another text and other buttons in the message whose button was pressed."""
        where, which = speaker.chat_id, speaker.message_id or ""
        self._say_in(where, lambda: self._client.restate(where, which, message.text_html, message.buttons))

    def answer(self, pressed: Pressed, sentence: str = "") -> None:
        """What a small window says to whoever pressed; it also ends the button's waiting."""
        self.begin("", lambda: self._client.answer(pressed.callback_id, sentence))

    def _say_in(self, chat: str, call: Call) -> None:
        self.begin(chat, lambda: self.in_turn(chat, call))
