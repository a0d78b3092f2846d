"""The methods of the Web API that the double has; each file of them registers its own."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.slack.call import Body, Call
from tests.slack.refusal import Refused
from tests.slack.rooms import Room

if TYPE_CHECKING:
    from tests.slack.double import SlackDouble

Function = Callable[["SlackDouble", Call], Awaitable[Body]]


@dataclass(frozen=True)
class Method:
    """A method: what it does, which token calls it (bot, app, or none), and a scope that it always needs."""

    function: Function
    kind: str = "bot"
    scope: str | None = None


METHODS: dict[str, Method] = {}


def method(name: str, *, kind: str = "bot", scope: str | None = None) -> Callable[[Function], Function]:
    """Register a function under the method's name."""

    def register(function: Function) -> Function:
        METHODS[name] = Method(function, kind, scope)
        return function

    return register


def room_of(slack: "SlackDouble", call: Call, name: str = "channel") -> Room:
    """The conversation that a call names, if the bot can know that there is one."""
    room = slack.world.rooms.get(call.needed(name))
    if room is None or room.team.id != call.token.team_id or (room.kind != "channel" and not room.has_bot):
        raise Refused("channel_not_found")
    return room


def room_inside(slack: "SlackDouble", call: Call, name: str = "channel", scope: str | None = None) -> Room:
    """The conversation that a call names, if the bot is in it or has a scope that needs no membership."""
    room = room_of(slack, call, name)
    if not room.has_bot and scope not in call.token.scopes:
        raise Refused("not_in_channel")
    return room
