"""Our own double of Slack's server, for what cannot run here.

It is not Slack: it is what Slack documents and what people report of it, as far as this project uses it,
and stricter where an app that gets away with something here would fail there. It runs on loopback on the
loop of the test, and has one app, its workspaces and their people:

    async with SlackDouble() as slack:
        client = AsyncWebClient(slack.token, base_url=slack.api_url)

People are in people.py, the rules in blocks.py, elements.py, speaking.py and limits.py, the ways to the app
in socket.py and signed.py.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.doubles import Double
from tests.slack import filing, happenings, installing, opening
from tests.slack.call import Call
from tests.slack.channels import Channel, slack_event
from tests.slack.delivery import Courier, Delivery, Transport
from tests.slack.faults import SlackFaults
from tests.slack.limits import Limits
from tests.slack.mrkdwn import Pings, pings, read_blocks
from tests.slack.people import Person
from tests.slack.replies import Replies
from tests.slack.rooms import Body, Room, Team, World
from tests.slack.server import Server
from tests.slack.shown import File, Message, View, show_view
from tests.slack.signed import SignedHttp
from tests.slack.socket import SocketMode
from tests.slack.tokens import BOT_SCOPES, Token

EVENTS = frozenset({"app_mention", "message.im", "app_home_opened", "link_shared", "member_joined_channel"})


class SlackDouble(Double[Call]):
    """The server with one app, its first workspace `team`, and the people in it.

    `clock` gives Unix seconds and rules every ts, rate limit, trigger and expiry; `ack_patience` and
    `retry_delays` are real seconds; `limits` False switches rate limits off; `scopes` are the bot token's;
    `events` are the app's subscriptions and `commands` its slash commands (None allows every one);
    `allow_local_urls` lets images come from this machine; `allow_previews` lets links be opened for one:
    without it the double closes with an error if Slack would open any; `echoes` False keeps the bot's own
    messages from coming back as events; `redelivers` names what is repeated without an acknowledgement.
    """

    app_id, client_id = "A0LF0000001", "1000.2000"
    client_secret, signing_secret = "client-secret-of-the-double", "signing-secret-of-the-double"
    token, app_token = "xoxb-of-the-double", "xapp-of-the-double"

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        limits: bool = True,
        scopes: frozenset[str] | set[str] = BOT_SCOPES,
        events: frozenset[str] | set[str] = EVENTS,
        commands: frozenset[str] | set[str] | None = None,
        allow_local_urls: bool = False,
        allow_previews: bool = False,
        echoes: bool = True,
        rotates: bool = False,
        ack_patience: float = 3.0,
        retry_delays: tuple[float, ...] = (0.0, 60.0, 300.0),
        redelivers: frozenset[str] = frozenset({"events_api"}),
    ) -> None:
        super().__init__()
        self.clock = clock
        self.events = events
        self.commands = commands
        self.allow_local_urls = allow_local_urls
        self.allow_previews = allow_previews
        self.echoes = echoes
        self.unfurl_domains: set[str] = set()
        self.world = World(clock)
        self.team = self.world.add_team("Linkferry Tests", "Linkferry")
        self.tokens = {
            self.token: Token(self.token, "bot", self.team.id, frozenset(scopes)),
            self.app_token: Token(self.app_token, "app", self.team.id, frozenset({"connections:write"})),
        }
        self.uploads: dict[str, filing.Upload] = {}
        self.faults = SlackFaults()
        self.limits = Limits(clock, enabled=limits)
        self.socket = SocketMode(self.app_id)
        self.http: SignedHttp | None = None
        self.courier = Courier(self._transport, ack_patience, retry_delays, redelivers)
        self.installer = installing.Installer(self, rotates=rotates)
        self.screens = opening.Screens(self)
        self.replies = Replies(self)
        self.server = Server(self)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, without a slash."""
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def api_url(self) -> str:
        """The `base_url` of a client."""
        return f"{self.url}/api/"

    # people

    def workspace(self, name: str) -> Team:
        """One more workspace; its bot token comes by OAuth."""
        return self.world.add_team(name, "Linkferry")

    def user(
        self, name: str, *, is_admin: bool = False, is_owner: bool = False, team: Team | None = None
    ) -> Person:
        """Somebody new."""
        user = self.world.add_user(
            team or self.team, name, is_admin=is_admin, is_owner=is_owner, is_bot=False
        )
        return Person(self, user)

    def channel(
        self,
        name: str,
        members: list[Person] | tuple[Person, ...] = (),
        *,
        bot: bool = False,
        private: bool = False,
    ) -> Channel:
        """A channel; without `bot` the app is not in it."""
        team = members[0].user.team if members else self.team
        ids = [one.id for one in members] + ([team.bot_user_id] if bot else [])
        return Channel(self, self.world.open(team, "group" if private else "channel", name, ids))

    def dm(self, person: Person, other: Person | None = None) -> Channel:
        """The direct message of a person with the bot, or with somebody else."""
        team = person.user.team
        second = other.id if other else team.bot_user_id
        return Channel(self, self.world.open(team, "im", "", [person.id, second]))

    def modal(self, person: Person) -> View | None:
        """The modal that the person sees now."""
        stack = self.screens.stacks.get(person.id)
        return show_view(stack[-1].body, stack[-1].errors, self.name_of) if stack else None

    def home(self, person: Person) -> View | None:
        """The person's Home tab."""
        body = self.screens.homes.get(person.id)
        return show_view(body, {}, self.name_of) if body else None

    def name_of(self, some_id: str) -> str:
        """The name of a person or a channel."""
        if some_id in self.world.users:
            return self.world.users[some_id].name
        return self.world.rooms[some_id].name if some_id in self.world.rooms else some_id

    def file(self, message: Message, described: Body) -> File:
        """A file in a message."""
        upload = self.uploads[described["id"]]
        assert upload.content is not None
        return File(
            upload.id, upload.name, upload.title, upload.content, message.thread_ts, message.text, described
        )

    def pings(self, shown: Message | View | Body) -> Pings:
        """Whom a message, a view or a message's object would ping, and where its links lead."""
        if isinstance(shown, Message):
            return pings(shown.body, shown.flags)
        return pings(shown.body if isinstance(shown, View) else shown)

    def previews(self) -> list[str]:
        """The links that Slack would open for a preview, of every state of the bot's messages."""
        return [
            link
            for room in self.world.rooms.values()
            for one in room.versions
            if one.body.get("user") == room.team.bot_user_id and one.ephemeral_for is None
            if {one.flags.get(name) for name in ("unfurl_links", "unfurl_media")} != {False}
            for link in pings(one.body, one.flags).links
        ]

    def read(self, blocks: list[Body]) -> str:
        """Blocks as people read them."""
        return read_blocks(blocks, self.name_of)

    # what the app is told

    async def uninstalls(
        self, team: Team, *, at: float | None = None, revokes: bool = True
    ) -> list[Delivery]:
        """An admin removes the app, then: its tokens there are void, and it hears of it twice."""
        if revokes:
            for token in self.tokens.values():
                token.is_revoked |= token.team_id == team.id and token.kind == "bot"
        tokens = {"oauth": [], "bot": [team.bot_user_id]}
        told = []
        for inner in ({"type": "tokens_revoked", "tokens": tokens}, {"type": "app_uninstalled"}):
            payload = happenings.event(self, team, inner)
            payload |= {"event_time": int(self.clock() if at is None else at), "authorizations": []}
            told.append(await self.tells("events_api", payload["event_id"], payload))
        return told

    async def delivers_to(self, url: str, app: Any | None = None) -> None:
        """HTTP mode: everything is posted to this URL, with `app` into that ASGI app."""
        if self.http is not None:
            await self.http.close()
        self.http = SignedHttp(url, self.signing_secret, self.clock, app)

    async def verifies_url(self) -> str:
        """Slack asks whether the URL is the app's; what the app answers must be the challenge."""
        assert self.http is not None, "delivers_to() first"
        challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
        token = happenings.VERIFICATION_TOKEN
        body = {"token": token, "challenge": challenge, "type": "url_verification"}
        answer = await self.http.post("events_api", body)
        assert answer.status_code == 200 and challenge in answer.text, f"no challenge: {answer}"
        return answer.text

    async def tells(
        self, kind: str, some_id: str, payload: Body, on_answer: Callable[[Any], None] | None = None
    ) -> Delivery:
        """Deliver something of this kind: slash_commands, interactive or events_api."""
        return await self.courier.deliver(Delivery(some_id, kind, payload, on_answer))

    async def event(self, team: Team, name: str, inner: Body) -> Delivery | None:
        """Deliver an event, if the app subscribes to it."""
        if name not in self.events:
            return None
        payload = happenings.event(self, team, inner)
        return await self.tells("events_api", payload["event_id"], payload)

    def echo(self, room: Room, change: Body) -> None:
        """The app hears of its own messages and edits too, where it listens; Slack makes no difference."""
        name = slack_event(room)
        if not self.echoes or name not in self.events or not (self.http or self.socket.connections):
            return
        ts = change.get("ts") or self.world.next_ts()
        inner = {"type": "message", **change, "channel": room.id, "channel_type": room.kind}
        self.courier.start(self.event(room.team, name, inner | {"ts": ts, "event_ts": ts}))

    async def repeat(self, delivery: Delivery) -> Delivery:
        """Deliver the same once more, with the same event_id or trigger_id."""
        return await self.courier.repeat(delivery)

    def unfurls(self, links: list[str]) -> list[Body]:
        """The links that belong to `unfurl_domains`."""
        found = [(one, urlsplit(one).hostname or "") for one in links]
        domains = self.unfurl_domains
        return [
            {"domain": host, "url": one}
            for one, host in found
            if any(host == name or host.endswith(f".{name}") for name in domains)
        ]

    def _transport(self) -> Transport:
        return self.http or self.socket

    # what tests ask for

    def fail_next(self, method: str, error: str | None = None, **how: Any) -> None:
        """See `Faults.fail_next`."""
        self.faults.fail_next(method, error, **how)

    def apply_then_drop(self, method: str) -> None:
        """See `Faults.apply_then_drop`."""
        self.faults.apply_then_drop(method)

    def hang_next(self, method: str, **how: Any) -> None:
        """See `Faults.hang_next`."""
        self.faults.hang_next(method, **how)

    @property
    def scopes_used(self) -> set[str]:
        """The scopes that calls needed so far."""
        return {scope for token in self.tokens.values() for scope in token.used}

    # the server

    async def __aenter__(self) -> Self:
        await self.server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.courier.close()
        await self.socket.close()
        if self.http is not None:
            await self.http.close()
        await self.server.close()
        self.check()
        if kind is None and not self.allow_previews:
            assert not self.previews(), "Slack would open these links for a preview"
