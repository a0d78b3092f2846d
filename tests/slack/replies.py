"""response_url: where the app may answer without being in the conversation, five times in half an hour."""

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.slack.refusal import Refused
from tests.slack.rooms import Room, Stored, User
from tests.slack.speaking import FLAGS, content, say, whisper

if TYPE_CHECKING:
    from tests.slack.double import SlackDouble

USES = 5
SECONDS = 30 * 60


@dataclass
class Reply:
    """A response_url: of a command, or of a press on `source`."""

    key: str
    room: Room
    user: User
    made: float
    source: Stored | None = None
    uses: int = 0
    latest: Stored | None = None


class Replies:
    """The addresses given out so far."""

    def __init__(self, slack: "SlackDouble") -> None:
        self._slack = slack
        self._open: dict[str, Reply] = {}

    def new(self, kind: str, room: Room, user: User, source: Stored | None = None) -> tuple[str, Reply]:
        """An address, and what it stands for."""
        reply = Reply(uuid.uuid4().hex, room, user, self._slack.clock(), source)
        self._open[reply.key] = reply
        return f"{self._slack.url}/{kind}/{room.team.id}/{reply.key}", reply

    def post(self, key: str, body: dict[str, Any]) -> None:
        """The app uses an address."""
        reply = self._open.get(key)
        if reply is None:
            raise Refused("no_active_hooks", status=404)
        if self._slack.clock() - reply.made > SECONDS:
            raise Refused("expired_url", status=404)
        if reply.uses >= USES:
            raise Refused("used_url", status=404)
        self.apply(reply, body)
        reply.uses += 1

    def apply(self, reply: Reply, body: dict[str, Any]) -> None:
        """Show the answer: to the person alone, or in the conversation, or in place of the message."""
        slack, room = self._slack, reply.room
        source = reply.source or reply.latest
        if body.get("delete_original"):
            if source is not None:
                self._remove(room, source)
            return
        fresh = content(slack, body)
        if body.get("replace_original") and source is not None:
            self._replace(reply, source, fresh)
            return
        thread = body.get("thread_ts")
        if thread in room.messages:
            fresh["thread_ts"] = thread
        if body.get("response_type") == "in_channel":
            reply.latest = say(slack, room, fresh, {name: body.get(name) for name in FLAGS})
        else:
            reply.latest = whisper(slack, room, reply.user.id, fresh)

    def _replace(self, reply: Reply, source: Stored, fresh: dict[str, Any]) -> None:
        kept = {name: one for name, one in source.body.items() if name not in ("text", "blocks")}
        changed = Stored(kept | fresh, source.flags, source.ephemeral_for)
        if source.ephemeral_for is not None:
            own = reply.room.ephemerals[source.ephemeral_for]
            own[[one.ts for one in own].index(source.ts)] = changed
        reply.room.keep(changed)
        if reply.source is not None:
            reply.source = changed
        reply.latest = changed
        self._slack.changed()

    def _remove(self, room: Room, source: Stored) -> None:
        room.messages.pop(source.ts, None)
        for own in room.ephemerals.values():
            own[:] = [one for one in own if one.ts != source.ts]
        self._slack.changed()
