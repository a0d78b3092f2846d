"""What people do: tests drive the app with it, and read what the app shows them.

ann = slack.user("Ann")
channel = slack.channel("general", members=[ann], bot=True)
await ann.runs("/get https://example.com/watch 720p", channel)
status = await channel.shows("Queued")
await ann.presses(status, "Cancel")
"""

from typing import TYPE_CHECKING, Any

from tests.slack import forms, happenings
from tests.slack.channels import Channel, Said, Where, slack_event, ts_of
from tests.slack.delivery import Delivery
from tests.slack.rooms import Body, Room, Stored, User
from tests.slack.shown import Message, View, elements, show, show_view
from tests.slack.writing import links, markup, rich_text

if TYPE_CHECKING:
    from tests.slack.double import SlackDouble


class Person:
    """Somebody in a workspace. What a person does returns when the app has acknowledged it, or did not."""

    def __init__(self, slack: "SlackDouble", user: User) -> None:
        self.slack = slack
        self.user = user

    @property
    def id(self) -> str:
        """The person's id."""
        return self.user.id

    @property
    def mention(self) -> str:
        """The markup that mentions the person."""
        return f"<@{self.user.id}>"

    # commands and messages

    async def runs(self, line: str, channel: Channel) -> Delivery:
        """A slash command, anywhere, whether the bot is there or not; Slack has none in threads."""
        name = line.partition(" ")[0]
        known = self.slack.commands
        assert known is None or name in known, f"{name} is not registered: Slack says it is no valid command"
        url, reply = self.slack.replies.new("commands", channel.room, self.user)
        payload = happenings.command(self.slack, self.user, channel.room, line, url)

        def show_answer(answer: Any) -> None:
            if isinstance(answer, dict) and answer:
                self.slack.replies.apply(reply, answer)

        return await self.slack.tells("slash_commands", payload["trigger_id"], payload, show_answer)

    async def says(self, text: str, channel: Channel, *, thread: Where | None = None) -> Said:
        """A message as typed; `<@BOT>` stands for the bot. Slack makes markup of links in it."""
        room, slack = channel.room, self.slack
        assert self.id in room.members, f"{self.user.name} is not in {room.name or room.id}"
        typed = text.replace("<@BOT>", f"<@{room.team.bot_user_id}>")
        content = {"text": markup(typed), "blocks": [rich_text(typed)]}
        thread_ts = ts_of(thread) if thread is not None else None
        body = happenings.message(self.user, room, slack.world.next_ts(), content, thread_ts)
        stored = room.keep(Stored(body))
        slack.changed()
        told = [await slack.event(*one) for one in self._events(room, body, typed)]
        return Said(show(room, stored, slack.name_of), [one for one in told if one is not None])

    writes = says

    def _events(self, room: Room, body: Body, typed: str) -> list[tuple[Any, str, Body]]:
        """What the app hears of a message: all of a direct message, its name, and its domains."""
        if not room.has_bot:
            return []
        there = {"channel": room.id, "event_ts": body["ts"]}
        found = [(room.team, slack_event(room), body | there | {"channel_type": room.kind})]
        if room.kind != "im" and f"<@{room.team.bot_user_id}" in body["text"]:
            found.insert(0, (room.team, "app_mention", body | {"type": "app_mention"} | there))
        shared = self.slack.unfurls(links(typed))
        if shared:
            inner = happenings.link_shared(
                self.user, room.id, body["ts"], "conversations_history", shared, True
            )
            found.append((room.team, "link_shared", inner))
        return found

    async def types(self, text: str, channel: Channel) -> Delivery | None:
        """Something that is not sent yet: the app hears of its own domains in it."""
        shared = self.slack.unfurls(links(text))
        if not shared:
            return None
        ts = f"{self.slack.world.next_ts()}-composer"
        inner = happenings.link_shared(self.user, "COMPOSER", ts, "composer", shared, channel.room.has_bot)
        return await self.slack.event(self.user.team, "link_shared", inner)

    # presses and shortcuts

    async def presses(self, where: Where | View, label: str, *, stale: bool = False) -> Delivery:
        """Press the button with this label as it is now, or, with `stale`, as it was in an old window.

        A button that opens an address tells the app as well.
        """
        if isinstance(where, View):
            button = (where if stale else self._current(where)).button(label)
            return await self._acts(where, happenings.press(self.slack, button))
        message = where.message if isinstance(where, Said) else where
        assert isinstance(message, Message), "press what channel.shows() or channel.messages gave"
        channel = Channel(self.slack, message.room)
        button = (message if stale else channel.message(message)).button(label)
        return await self._acts(message, happenings.press(self.slack, button))

    async def picks(self, where: Message | View, action_id: str, value: Any) -> Delivery:
        """Choose something in a menu with this action_id."""
        for block in where.blocks:
            for one in elements(block):
                if one.get("action_id") == action_id:
                    action = forms.fill(one, value) | {
                        "action_id": action_id,
                        "block_id": block["block_id"],
                        "action_ts": self.slack.world.next_ts(),
                    }
                    return await self._acts(where, action)
        raise AssertionError(f"no {action_id} in:\n{where}")

    async def _acts(self, where: Message | View, action: Body) -> Delivery:
        slack = self.slack
        if isinstance(where, View):
            in_modal = where.body["type"] == "modal"
            view = self._current(where).body
            values = forms.state(view["blocks"], {}, submits=False)
            place = happenings.in_view(view | {"state": {"values": values}})
        else:
            in_modal = False
            channel = Channel(slack, where.room)
            held = where.ts in where.room.messages or where.is_ephemeral
            stored = channel.stored(where) if held else Stored(where.body, where.flags)
            assert stored.ephemeral_for in (None, self.id), "only who sees a message can press in it"
            url, _ = slack.replies.new("actions", where.room, self.user, stored)
            place = happenings.in_message(where.room, stored, url)
        payload = happenings.interaction(slack, "block_actions", self.user, in_modal=in_modal)
        payload |= place | {"actions": [action]}
        return await slack.tells("interactive", payload["trigger_id"], payload)

    async def shortcut(self, callback_id: str, message: Message | Said) -> Delivery:
        """A message shortcut, on anybody's message."""
        shown = message.message if isinstance(message, Said) else message
        stored = Channel(self.slack, shown.room).stored(shown)
        url, _ = self.slack.replies.new("app", shown.room, self.user)
        payload = happenings.interaction(self.slack, "message_action", self.user)
        ts = self.slack.world.next_ts()
        payload |= happenings.message_action(callback_id, shown.room, stored, url, ts)
        return await self.slack.tells("interactive", payload["trigger_id"], payload)

    async def global_shortcut(self, callback_id: str) -> Delivery:
        """A shortcut that is not about a message."""
        payload = happenings.interaction(self.slack, "shortcut", self.user)
        payload |= {"callback_id": callback_id, "action_ts": self.slack.world.next_ts()}
        return await self.slack.tells("interactive", payload["trigger_id"], payload)

    # modals and the Home tab

    async def submits(self, view: View, values: dict[str, Any] | None = None) -> Delivery:
        """Fill in a modal and press its button; inputs are named by label, block_id or action_id."""
        screens, slack = self.slack.screens, self.slack
        modal = screens.find(view.id, "")
        assert modal.body["submit"], "this modal has no button to submit it"
        filled = forms.state(modal.body["blocks"], values or {}, submits=True)
        payload = happenings.interaction(slack, "view_submission", self.user, in_modal=True)
        payload |= {"view": modal.body | {"state": {"values": filled}}}
        payload["response_urls"] = self._response_urls(modal.body["blocks"], filled)
        return await slack.tells(
            "interactive",
            payload["trigger_id"],
            payload,
            lambda answer: screens.answered(self.user, modal, answer),
        )

    async def closes(self, view: View) -> Delivery | None:
        """Close a modal; the app hears of it only when the view says so."""
        modal = self.slack.screens.find(view.id, "")
        self.slack.screens.stacks[self.id].remove(modal)
        if not modal.body["notify_on_close"]:
            return None
        payload = happenings.interaction(self.slack, "view_closed", self.user)
        del payload["trigger_id"]
        payload |= {"view": modal.body, "is_cleared": False}
        return await self.slack.tells("interactive", modal.body["hash"], payload)

    async def opens_home(self, tab: str = "home") -> Delivery | None:
        """Open the app's Home tab, or its `messages`."""
        room = self.slack.dm(self).room
        inner: Body = {"type": "app_home_opened", "user": self.id, "channel": room.id, "tab": tab}
        inner["event_ts"] = self.slack.world.next_ts()
        if tab == "home" and self.id in self.slack.screens.homes:
            inner["view"] = self.slack.screens.homes[self.id]
        return await self.slack.event(self.user.team, "app_home_opened", inner)

    async def sees_modal(self) -> View:
        """Wait until a modal is open, and look at it."""
        await self.slack.until(lambda: self.slack.modal(self) is not None, otherwise="no modal opened")
        modal = self.slack.modal(self)
        assert modal is not None
        return modal

    # membership and installing

    async def invites_bot(self, channel: Channel) -> Delivery | None:
        """The bot comes into a channel, and hears of it."""
        room = channel.room
        if not room.has_bot:
            room.members.append(room.team.bot_user_id)
        return await self._joined(room, room.team.bot_user_id)

    async def joins(self, channel: Channel) -> Delivery | None:
        """This person comes into a channel."""
        if self.id not in channel.room.members:
            channel.room.members.append(self.id)
        return await self._joined(channel.room, self.id)

    async def removes_bot(self, channel: Channel) -> None:
        """The bot is out of the channel, and hears of it no more than a person would."""
        channel.room.members.remove(channel.room.team.bot_user_id)

    async def deletes(self, said: Where, channel: Channel) -> None:
        """A message goes; its thread has no beginning any more."""
        del channel.room.messages[ts_of(said)]

    def installs(self, scopes: frozenset[str] | set[str], redirect_uri: str | None = None) -> str:
        """Press Allow: the code that comes to the app's redirect address."""
        return self.slack.installer.code(self.user, frozenset(scopes), redirect_uri)

    async def _joined(self, room: Room, user_id: str) -> Delivery | None:
        inner = {
            "type": "member_joined_channel",
            "user": user_id,
            "channel": room.id,
            "channel_type": "C" if room.kind == "channel" else "G",
            "team": room.team.id,
            "inviter": self.id,
            "event_ts": self.slack.world.next_ts(),
        }
        return await self.slack.event(room.team, "member_joined_channel", inner) if room.has_bot else None

    def _current(self, view: View) -> View:
        if view.body["type"] == "home":
            home = self.slack.home(self)
            return home if home is not None else view
        modal = self.slack.screens.find(view.id, "")
        return show_view(modal.body, modal.errors, self.slack.name_of)

    def _response_urls(self, blocks: list[Body], filled: Body) -> list[Body]:
        urls = []
        for block in blocks:
            one = block.get("element") or {}
            chosen = filled.get(block["block_id"], {}).get(one.get("action_id"), {})
            room_id = chosen.get("selected_conversation") or chosen.get("selected_channel")
            if one.get("response_url_enabled") and room_id:
                url, _ = self.slack.replies.new("app", self.slack.world.rooms[room_id], self.user)
                ids = {"block_id": block["block_id"], "action_id": one["action_id"]}
                urls.append(ids | {"channel_id": room_id, "response_url": url})
        return urls
