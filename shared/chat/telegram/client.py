"""Status messages in Telegram: posted, edited, and in the end turned into the result itself."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from telegram import Bot
from telegram.error import BadRequest, TelegramError

from shared.chat.files import is_linkable
from shared.chat.pace import Window
from shared.chat.telegram import PLATFORM
from shared.chat.telegram.bot import is_cloud
from shared.chat.telegram.calls import Calls
from shared.chat.telegram.carrier import Carrier
from shared.chat.telegram.parcels import Parcel, Shelf, parcel_of
from shared.chat.telegram.refusals import LinksRefused, OtherKind
from shared.chat.telegram.render import Message, status
from shared.database import Database
from shared.models import JobState, Request
from shared.results import JobView
from shared.settings import Settings
from shared.storage import Storage
from shared.words import size_words

log = logging.getLogger(__name__)

BASE = 3.0  # seconds between two progress edits of one message, at least
CLOUD_LIMIT, OWN_LIMIT = 50_000_000, 2_000_000_000  # bytes a bot may send, by whose server it speaks through
STUBBORN = 3  # deliveries that failed, after which less will do: a link for the file, words for a message
LONG = CLOUD_LIMIT  # bytes of an upload that is then not begun once more; shorter ones get another chance

TOO_LARGE = "This is larger than the {limit} that a bot may send here."
NOT_TAKEN = "Telegram did not take the file itself."


def windows(chat_id: str) -> Sequence[Window]:
    """The windows in which Telegram counts calls to this chat, a little below what it says."""
    overall = Window(PLATFORM, calls=25, seconds=1.0, progress=20)
    each = Window((PLATFORM, chat_id), calls=1, seconds=1.0, progress=1)
    if not chat_id.startswith("-"):
        return overall, each
    return overall, each, Window((PLATFORM, chat_id, "minute"), calls=18, seconds=60.0, progress=10)


class TelegramClient(Calls):
    """The `MessageClient` of Telegram, and the plain answers that its handlers give.

    `max_upload` in bytes; by default what the server takes.
    """

    def __init__(
        self,
        bot: Bot,
        database: Database,
        storage: Storage,
        settings: Settings,
        *,
        max_upload: int | None = None,
    ) -> None:
        super().__init__(bot)
        self._shelf = Shelf(database, storage)
        self._carrier = Carrier(self, self._shelf)
        self._can_link = is_linkable(settings.effective_public_url)
        self._max_upload = max_upload or (CLOUD_LIMIT if is_cloud(settings) else OWN_LIMIT)

    async def post(self, request: Request, view: JobView) -> str:
        """See `MessageClient.post`. A message to reply to that is gone costs the reply, not the message."""
        try:
            return await self._post(request, view)
        except LinksRefused as refused:
            self._give_up_links(refused)
            return await self._post(request, view)
        except BadRequest as error:
            self._go_plain(request, error)
            return await self._post(request, view, is_plain=True)

    async def edit(self, request: Request, message: str, view: JobView) -> None:
        """See `MessageClient.edit`. A result turns the message into the file, where Telegram takes it."""
        try:
            await self._edit(request, message, view)
        except LinksRefused as refused:
            self._give_up_links(refused)
            await self._edit(request, message, view)
        except BadRequest as error:
            self._go_plain(request, error)
            await self._restate(request, message, self._shown(request, view, is_plain=True))

    def _shown(self, request: Request, view: JobView, **how: Any) -> Callable[..., Message]:
        return partial(status, view, request.id, can_link=self._can_link, **how)

    async def _post(self, request: Request, view: JobView, **how: Any) -> str:
        shown = self._shown(request, view, **how)()
        return await self.say(
            request.chat_id,
            shown.text_html,
            thread_id=request.thread_id,
            reply_to=request.reply_to,
            buttons=shown.buttons,
        )

    async def _edit(self, request: Request, message: str, view: JobView) -> None:
        is_result = view.state is JobState.DONE and view.offers is None
        parcel = parcel_of(view) if is_result else None
        transcript = await self._shelf.text(parcel.artifact) if parcel else ""
        shown = self._shown(request, view, transcript=transcript)
        because = self._why_not(request, parcel)
        if parcel and because is None:
            if await self._bring(request, message, parcel, shown(carries_file=True)):
                return
            because = NOT_TAKEN
        await self._restate(request, message, shown, because or "")

    async def _restate(
        self, request: Request, message: str, shown: Callable[..., Message], because: str = ""
    ) -> None:
        told = shown(because=because)
        try:
            await self.restate(request.chat_id, message, told.text_html, told.buttons)
        except OtherKind:  # the file is there: it was sent before, and the answer was lost
            told = shown(carries_file=True)
            await self.recaption(request.chat_id, message, told.text_html, told.buttons)

    async def _bring(self, request: Request, message: str, parcel: Parcel, caption: Message) -> bool:
        """Whether the message is the file now."""
        try:
            return await self._carrier.bring(
                request.chat_id, message, parcel, caption.text_html, caption.buttons
            )
        except (TelegramError, OSError) as error:
            if request.delivery_failures < STUBBORN:
                raise
            # a text may get through where the file does not; where neither does, all is tried again later
            log.warning("request %s: a link after %d tries: %s", request.id, STUBBORN, error)
            return False

    def _why_not(self, request: Request, parcel: Parcel | None) -> str | None:
        """Why the file should not be in the message, for people; None when it should."""
        if parcel is None or request.as_link:
            return ""
        if parcel.artifact.size_bytes > self._max_upload:
            return TOO_LARGE.format(limit=size_words(self._max_upload))
        if parcel.artifact.size_bytes > LONG and request.delivery_failures >= STUBBORN:
            return NOT_TAKEN
        return None

    @staticmethod
    def _go_plain(request: Request, error: BadRequest) -> None:
        """Telegram refuses what we say for a reason we do not know: it would do so for ever."""
        if request.delivery_failures < STUBBORN:
            raise error
        log.warning("request %s: plain words after %d tries: %s", request.id, STUBBORN, error)

    def _give_up_links(self, refused: LinksRefused) -> None:
        """Go on without buttons that lead to us: what Telegram takes as an address, only Telegram knows."""
        log.warning("Telegram takes no buttons that lead to LINKFERRY_PUBLIC_URL: %s", refused)
        if not self._can_link:
            raise refused
        self._can_link = False
