"""Workspaces, people and conversations: what the double remembers."""

import copy
import itertools
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Team:
    """A workspace, and the app's bot in it."""

    id: str
    name: str
    domain: str
    bot_user_id: str
    bot_id: str


@dataclass(eq=False)
class User:
    """An account in a workspace."""

    id: str
    team: Team
    name: str
    is_admin: bool = False
    is_owner: bool = False
    is_bot: bool = False

    @property
    def login(self) -> str:
        """The name in payloads: `ann`."""
        return self.name.lower().replace(" ", ".")


@dataclass
class Stored:
    """A message as the Web API shows it, and apart from it the flags it was posted with."""

    body: Body
    flags: Body = field(default_factory=dict)
    ephemeral_for: str | None = None

    @property
    def ts(self) -> str:
        """The message's number in its conversation."""
        return str(self.body["ts"])


@dataclass(eq=False)
class Room:
    """A conversation: `kind` is channel, group (a private channel) or im."""

    id: str
    kind: str
    name: str
    team: Team
    members: list[str]
    is_archived: bool = False
    messages: dict[str, Stored] = field(default_factory=dict)
    versions: list[Stored] = field(default_factory=list)
    ephemerals: defaultdict[str, list[Stored]] = field(default_factory=lambda: defaultdict(list))

    @property
    def has_bot(self) -> bool:
        """The app's bot is a member."""
        return self.team.bot_user_id in self.members

    @property
    def payload_name(self) -> str:
        """The name in commands and interactions."""
        return {"im": "directmessage", "group": "privategroup"}.get(self.kind, self.name)

    def keep(self, stored: Stored) -> Stored:
        """A message is new or different; every state is kept as it was."""
        if stored.ephemeral_for is None:
            self.messages[stored.ts] = stored
        self.versions.append(copy.deepcopy(stored))
        return stored

    def thread(self, ts: str) -> list[Stored]:
        """A message and its replies, oldest first."""
        return [one for one in self.messages.values() if ts in (one.ts, one.body.get("thread_ts"))]

    def described(self) -> Body:
        """The conversation in the answers of conversations.*."""
        body: Body = {
            "id": self.id,
            "created": 1_700_000_000,
            "is_archived": self.is_archived,
            "is_im": self.kind == "im",
            "context_team_id": self.team.id,
        }
        if self.kind == "im":
            return body | {"user": next(one for one in self.members if one != self.team.bot_user_id)}
        return body | {
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": self.kind == "channel",
            "is_group": False,
            "is_private": self.kind == "group",
            "is_member": self.has_bot,
            "is_mpim": False,
            "is_general": False,
            "num_members": len(self.members),
        }


class World:
    """Everything there is. The same ids in every run; `clock` gives Unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.teams: dict[str, Team] = {}
        self.users: dict[str, User] = {}
        self.rooms: dict[str, Room] = {}
        self._ids = itertools.count(1)
        self._last = 0

    def new_id(self, letter: str) -> str:
        """An id such as `C0LF0000007`."""
        return f"{letter}0LF{next(self._ids):07d}"

    def next_ts(self) -> str:
        """A number for a message that comes now; never the same twice."""
        self._last = max(self._last + 1, int(self.clock() * 1_000_000))
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}"

    def add_team(self, name: str, bot_name: str) -> Team:
        """A workspace with the app in it."""
        team = Team(
            self.new_id("T"), name, name.lower().replace(" ", "-"), self.new_id("U"), self.new_id("B")
        )
        self.teams[team.id] = team
        self.users[team.bot_user_id] = User(team.bot_user_id, team, bot_name, is_bot=True)
        return team

    def add_user(self, team: Team, name: str, *, is_admin: bool, is_owner: bool, is_bot: bool) -> User:
        """A new account."""
        user = User(self.new_id("U"), team, name, is_admin or is_owner, is_owner, is_bot)
        self.users[user.id] = user
        return user

    def open(self, team: Team, kind: str, name: str, members: list[str]) -> Room:
        """A new conversation, or the direct message that is there already."""
        if kind == "im":
            for room in self.rooms.values():
                if room.kind == "im" and set(room.members) == set(members):
                    return room
        room = Room(self.new_id("D" if kind == "im" else "C"), kind, name, team, members)
        self.rooms[room.id] = room
        return room
