"""Our own double of Telegram's Bot API server, for what cannot run here.

It is not Telegram: it is what Telegram documents and what its published server does, as far as this
project uses it, and stricter where a bot that gets away with something here would fail there. It keeps
no secrets, has one bot, and runs on loopback on the loop of the test:

    async with TelegramDouble() as telegram:
        bot = Bot(telegram.token, base_url=f"{telegram.url}/bot", base_file_url=f"{telegram.url}/file/bot")

People and their chats are in people.py, the rules in contents.py, html.py and limits.py.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tests.doubles import Double
from tests.telegram.acts import Press
from tests.telegram.call import Call
from tests.telegram.faults import TelegramFaults
from tests.telegram.files import Shelf
from tests.telegram.groups import Channel, Group
from tests.telegram.limits import Limits
from tests.telegram.people import Private
from tests.telegram.rooms import Rooms, User
from tests.telegram.server import Server
from tests.telegram.updates import Update, Updates

TOKEN = "7000000000:AAHdouble-token-of-the-tests-0000000"
MEGABYTE = 1024 * 1024


class TelegramDouble(Double[Call]):
    """The server with its one bot, its people and their chats.

    `clock` gives Unix seconds and rules every date, rate limit and expiry; `max_upload` is in bytes;
    `limits` False switches rate limits off; `allow_http` and `allow_local_urls` permit a webhook without
    TLS and buttons that lead to this machine; `local` behaves as a server in local mode.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        token: str = TOKEN,
        max_upload: int | None = None,
        limits: bool = True,
        allow_http: bool = False,
        allow_local_urls: bool = False,
        local: bool = False,
    ) -> None:
        super().__init__()
        self.clock = clock
        self.token = token
        self.allow_http = allow_http or local
        self.allow_local_urls = allow_local_urls
        self.callback_patience = 30.0
        self.commands: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.presses: dict[str, Press] = {}
        self.faults = TelegramFaults()
        self.limits = Limits(clock, enabled=limits)
        self.files = Shelf(max_upload=max_upload or (2000 if local else 50) * MEGABYTE, local=local)
        self.rooms = Rooms(clock, self.changed)
        self.updates = Updates(clock)
        self.me = User(int(token.partition(":")[0]), "Linkferry", "linkferry_bot", is_bot=True)
        self.rooms.users[self.me.id] = self.me
        self._server = Server(self)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, without a slash."""
        return f"http://127.0.0.1:{self._server.port}"

    # people

    def user(
        self, first_name: str, *, username: str = "", language_code: str = "en", is_bot: bool = False
    ) -> User:
        """Somebody new."""
        return self.rooms.add_user(first_name, username, language_code, is_bot)

    def private(self, user: User) -> Private:
        """The chat of a person with the bot; the person has pressed Start."""
        return Private(self, self.rooms.open("private", user.first_name, user.id), [user])

    def group(
        self,
        title: str,
        *members: User,
        admins: tuple[User, ...] | list[User] = (),
        is_forum: bool = False,
        basic: bool = False,
        bot_is_admin: bool = False,
    ) -> Group:
        """A supergroup with the bot in it; `basic` makes the old kind, which can become a supergroup."""
        assert members or admins, "a group has somebody in it"
        room = self.rooms.open("group" if basic else "supergroup", title)
        room.is_forum = is_forum
        room.bot_status = "administrator" if bot_is_admin else "member"
        room.members = {one.id: "member" for one in members} | {one.id: "administrator" for one in admins}
        return Group(self, room, list(dict.fromkeys([*members, *admins])))

    def channel(self, title: str) -> Channel:
        """A channel in which the bot is an administrator."""
        room = self.rooms.open("channel", title)
        room.bot_status = "administrator"
        owner = self.user(f"{title}'s owner")
        room.members = {owner.id: "creator"}
        return Channel(self, room, [owner])

    # what tests ask for

    def repeat(self, update: Update | None) -> None:
        """Deliver an update once more, with the same update_id."""
        assert update is not None, "the bot never got that update"
        self.updates.repeat(update)

    def fail_next(self, method: str, *statuses: int, **how: Any) -> None:
        """See `Faults.fail_next`."""
        self.faults.fail_next(method, *statuses, **how)

    def apply_then_drop(self, method: str) -> None:
        """See `Faults.apply_then_drop`."""
        self.faults.apply_then_drop(method)

    def hang_next(self, method: str, **how: Any) -> None:
        """See `Faults.hang_next`."""
        self.faults.hang_next(method, **how)

    @property
    def too_many(self) -> int:
        """How often a rate limit refused a call."""
        return self.limits.refusals

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.updates.close()
        await self._server.stop()
        self.check()
