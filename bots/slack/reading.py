"""Slack's payloads -> what a person did. Pure; what is nobody's wish, or makes no sense, is None."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bots.scanner import scan
from bots.slack.deeds import Called, Filled, HomeOpened, Left, Pressed, Said, Speaker, Way
from bots.slack.markup import spoken, undone
from bots.storable import storable

Payload = Mapping[str, Any]

MAX_URL = 250  # characters of an answer's address: it is kept with the request

_LATEST = 2**37  # seconds since 1970: a time holds no year with five digits
_ID = re.compile(r"[A-Z0-9]{1,32}")
_TS = re.compile(r"[0-9]{1,16}\.[0-9]{1,16}")


def read_command(body: Payload, names: Mapping[str, str]) -> Said | None:
    """A slash command; `names` say what each is called, the umbrella's is empty."""
    speaker = _speaker(
        body.get("team_id"),
        body.get("channel_id"),
        body.get("user_id"),
        Way.COMMAND,
        url=body.get("response_url"),
    )
    event, command = _words(body.get("trigger_id")), body.get("command")
    if speaker is None or not event or not isinstance(command, str) or command not in names:
        return None
    text = _words(body.get("text"))
    said = spoken(text) if not names[command] else undone(f"/{names[command]} {text}")
    return Said(speaker, said or "/help", event)


def read_mention(body: Payload) -> Said | None:
    """`@Linkferry https://...`, in a channel or a thread."""
    event = _map(body.get("event"))
    if event.get("type") != "app_mention" or not _is_fresh(event):
        return None
    return _event(body, event, Way.MENTION)


def read_message(body: Payload) -> Said | None:
    """A direct message. The app's own ones, edits, and messages in channels mean nothing."""
    event = _map(body.get("event"))
    if (event.get("type"), event.get("channel_type")) != ("message", "im") or not _is_fresh(event):
        return None
    return _event(body, event, Way.DIRECT)


def read_home(body: Payload) -> HomeOpened | None:
    """The Home tab was opened."""
    event = _map(body.get("event"))
    user = event.get("user")
    speaker = _speaker(_team(body), user, user, Way.HOME)
    is_home = event.get("type") == "app_home_opened" and event.get("tab") == "home"
    return HomeOpened(speaker) if speaker and is_home else None


def read_leaving(body: Payload) -> Left | None:
    """The app was removed, or its bot's token was: both come, in any order. Tokens of people are not ours."""
    event, at, team = _map(body.get("event")), body.get("event_time"), _team(body)
    bots = _map(event.get("tokens")).get("bot")
    is_over = event.get("type") == "app_uninstalled" or (event.get("type") == "tokens_revoked" and bool(bots))
    if not (is_over and _is_id(team) and isinstance(at, int) and 0 <= at < _LATEST):
        return None
    return Left(str(team), datetime.fromtimestamp(at, UTC))


def read_press(body: Payload) -> Pressed | None:
    """A button in a message, an answer or the Home tab."""
    actions = body.get("actions")
    action = _map(actions[0]) if isinstance(actions, list) and actions else {}
    container = _map(body.get("container"))
    user = _map(body.get("user")).get("id")
    channel = _map(body.get("channel")).get("id") or container.get("channel_id")
    in_view = container.get("type") == "view"
    speaker = _speaker(
        _home(body),
        user if in_view else channel,
        user,
        Way.HOME if in_view else Way.BUTTON,
        thread=container.get("thread_ts"),
        url=body.get("response_url"),
        of=_map(body.get("user")).get("team_id"),
    )
    action_id = _words(action.get("action_id"))
    return Pressed(speaker, action_id, _words(body.get("trigger_id"))) if speaker and action_id else None


def read_shortcut(body: Payload) -> Called | None:
    """The shortcut that is not about a message."""
    user = _map(body.get("user")).get("id")
    speaker = _speaker(_map(body.get("team")).get("id"), user, user, Way.FORM)
    trigger = _words(body.get("trigger_id"))
    return Called(speaker, trigger) if speaker and trigger else None


def read_message_shortcut(body: Payload) -> Said | None:
    """Fetch this link, on a message of anybody: all links in it, answered in its thread."""
    message = _map(body.get("message"))
    speaker = _speaker(
        _map(body.get("team")).get("id"),
        _map(body.get("channel")).get("id"),
        _map(body.get("user")).get("id"),
        Way.SHORTCUT,
        thread=message.get("thread_ts") or message.get("ts") or body.get("message_ts"),
        url=body.get("response_url"),
    )
    event = _words(body.get("trigger_id"))
    if speaker is None or not event:
        return None
    links = scan(undone(_words(message.get("text")))).links  # a command in it is not the speaker's
    return Said(speaker, " ".join(links), event)


def read_form(body: Payload) -> Filled | None:
    """A modal that was sent. Where it asks for a conversation, that is where its wish is answered."""
    view, user = _map(body.get("view")), _map(body.get("user")).get("id")
    values = _values(_map(_map(view.get("state")).get("values")))
    urls = body.get("response_urls")
    given = _map(urls[0]) if isinstance(urls, list) and urls else {}
    speaker = _speaker(
        _home(body),
        values.get("where") or user,
        user,
        Way.FORM,
        url=given.get("response_url"),
    )
    event = _words(body.get("trigger_id"))
    if speaker is None or not event:
        return None
    name, note = _words(view.get("callback_id")), _words(view.get("private_metadata"))
    return Filled(speaker, name, values, note, event)


def _is_fresh(event: Payload) -> bool:
    """Whether a person has just said it: no edit, no bot, nothing that happened to a channel."""
    if event.get("subtype") not in (None, "", "file_share"):  # words beside a picture are words
        return False
    return not any(event.get(name) for name in ("bot_id", "bot_profile", "edited", "hidden"))


def _event(body: Payload, event: Payload, way: Way) -> Said | None:
    speaker = _speaker(
        _team(body), event.get("channel"), event.get("user"), way, thread=event.get("thread_ts")
    )
    event_id, text = _words(body.get("event_id")), _words(event.get("text"))
    if speaker is None or not event_id:
        return None
    return Said(speaker, spoken(text) or "/help", event_id)


def _speaker(
    team: object,
    channel: object,
    user: object,
    way: Way,
    *,
    thread: object = None,
    url: object = None,
    of: object = None,
) -> Speaker | None:
    """`of`: the workspace that the person belongs to."""
    if not (_is_id(team) and _is_id(channel) and _is_id(user)):
        return None
    in_thread = isinstance(thread, str) and _TS.fullmatch(thread) is not None
    is_address = isinstance(url, str) and url.startswith("http") and len(url) <= MAX_URL
    return Speaker(
        str(team),
        str(channel),
        str(user),
        way,
        str(thread) if in_thread else None,
        _words(url) if is_address else None,
        is_guest=of not in (None, "", team),
    )


def _team(body: Payload) -> object:
    """The workspace in which the app is installed; in a shared channel the speaker's may be another one."""
    installed = body.get("authorizations")
    first = _map(installed[0]) if isinstance(installed, list) and installed else {}
    return first.get("team_id") or body.get("team_id")


def _home(body: Payload) -> object:
    """The same for presses and forms, whose team is that of the person: the message is the app's own."""
    view, message = _map(body.get("view")), _map(body.get("message"))
    for team in (view.get("app_installed_team_id"), message.get("team")):
        if isinstance(team, str) and team.startswith("T"):
            return team
    return _map(body.get("team")).get("id")


def _values(blocks: Payload) -> dict[str, str]:
    """One value for each input, by its block."""
    found = {}
    for name, inputs in blocks.items():
        for one in _map(inputs).values():
            given = _map(one)
            chosen = _map(given.get("selected_option")).get("value")
            value = given.get("value") or chosen or given.get("selected_conversation")
            if isinstance(name, str) and isinstance(value, str):
                found[name] = _words(value)
    return found


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _map(value: object) -> Payload:
    return value if isinstance(value, Mapping) else {}


def _words(value: object) -> str:
    return storable(value) if isinstance(value, str) else ""
