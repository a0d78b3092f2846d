"""The calls to Telegram that show something, each with what its refusals mean for us."""

import asyncio
from collections.abc import Sequence
from typing import cast

from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaAudio,
    InputMediaDocument,
    InputMediaVideo,
    LinkPreviewOptions,
    Message,
    ReplyParameters,
)
from telegram.constants import ParseMode
from telegram.error import TimedOut

from shared.chat.telegram.markup import cut
from shared.chat.telegram.refusals import called
from shared.chat.telegram.render import Button

Buttons = Sequence[Sequence[Button]]
Media = InputMediaVideo | InputMediaAudio | InputMediaDocument

MOST_ANSWER = 200  # UTF-16 units shown above a chat after a press
SLOWEST = 250_000  # bytes a second that an upload has to reach
PATIENCE = 30.0  # seconds for a call with a file, beside what its size takes

NO_PREVIEW = LinkPreviewOptions(is_disabled=True)


class Calls:
    """What the bot says. Everything raises MessageGone, Throttled or ChatMoved; see `refusals.meaning`."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot

    async def say(
        self,
        chat_id: str,
        text_html: str,
        *,
        thread_id: str | None = None,
        reply_to: str | None = None,
        buttons: Buttons = (),
    ) -> str:
        """A new message; returns its id. Nothing is previewed, and a reply target may be gone."""
        reply = ReplyParameters(int(reply_to), allow_sending_without_reply=True) if reply_to else None
        sent = await called(
            self.bot.send_message(
                chat_id,
                text_html,
                parse_mode=ParseMode.HTML,
                link_preview_options=NO_PREVIEW,
                message_thread_id=int(thread_id) if thread_id else None,
                reply_parameters=reply,
                reply_markup=_markup(buttons),
            )
        )
        return str(cast(Message, sent).message_id)  # no refusal of a new message means that all is well

    async def restate(self, chat_id: str, message_id: str, text_html: str, buttons: Buttons = ()) -> None:
        """Another text and other buttons in the same message; none given takes the buttons away.

        Raises OtherKind when a file is in it.
        """
        await called(
            self.bot.edit_message_text(
                text_html,
                chat_id,
                int(message_id),
                parse_mode=ParseMode.HTML,
                link_preview_options=NO_PREVIEW,
                reply_markup=_markup(buttons),
            )
        )

    async def recaption(self, chat_id: str, message_id: str, text_html: str, buttons: Buttons = ()) -> None:
        """Another caption and other buttons under the same file. Raises OtherKind when there is none."""
        await called(
            self.bot.edit_message_caption(
                chat_id,
                int(message_id),
                caption=text_html,
                parse_mode=ParseMode.HTML,
                reply_markup=_markup(buttons),
            )
        )

    async def put_file(
        self, chat_id: str, message_id: str, media: Media, buttons: Buttons = (), size: int = 0
    ) -> Message | None:
        """The file in place of what the message was; the message as it is then, None when it was so already.

        `size` in bytes, 0 for a file that Telegram has. Raises FileRefused.
        """
        # to write it, and as long for a server of one's own to pass it on before it answers
        patience = PATIENCE + size / SLOWEST
        try:
            async with asyncio.timeout(2 * patience):
                shown = await called(
                    self.bot.edit_message_media(
                        media,
                        chat_id,
                        int(message_id),
                        reply_markup=_markup(buttons),
                        read_timeout=patience,
                        write_timeout=patience,
                    ),
                    with_file=True,
                )
        except TimeoutError as error:  # the library's patience is for each block, not for all of them
            raise TimedOut("the file took too long") from error
        return shown if isinstance(shown, Message) else None

    async def answer(self, callback_id: str, text: str = "") -> None:
        """Answer the press of a button; one that was too long ago is fine."""
        await called(self.bot.answer_callback_query(callback_id, cut(text, MOST_ANSWER) or None))


def _markup(buttons: Buttons) -> InlineKeyboardMarkup | None:
    rows = [
        [InlineKeyboardButton(each.label, url=each.url, callback_data=each.data) for each in row]
        for row in buttons
    ]
    return InlineKeyboardMarkup(rows) if rows else None
