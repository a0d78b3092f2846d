"""The app's manifest: what Slack has to know of it, for Socket Mode or for HTTP mode. Pure.

A test holds it to what `app` listens to, and to the methods that are called.
"""

import json
from collections.abc import Mapping
from typing import Any

from bots.commands import USAGE
from bots.slack.texts import NAME
from bots.slack.views import FETCH, FETCH_LINK
from shared.settings import COMMANDS, UMBRELLA, Settings

EVENTS_PATH = "/slack/events"
INSTALL_PATH = "/slack/install"
REDIRECT_PATH = "/slack/oauth_redirect"

SCOPES = {
    "app_mentions:read": "to hear its name in channels and threads",
    "channels:history": "to find a status message again whose post was cut short, instead of posting twice",
    "chat:write": "to post and edit status messages, and to answer",
    "commands": "to have slash commands and shortcuts",
    "files:write": "to share transcripts as files",
    "groups:history": "the same in private channels that it was invited to",
    "im:history": "to hear direct messages",
    "users:read": "to know who is an admin",
}
EVENTS = ("app_home_opened", "app_mention", "app_uninstalled", "message.im", "tokens_revoked")

Manifest = dict[str, Any]


def manifest(settings: Settings, *, http: bool) -> Manifest:
    """The manifest with this installation's address and command names."""
    url = settings.effective_public_url
    posted = {"url": url + EVENTS_PATH} if http else {}
    requested = {"request_url": url + EVENTS_PATH} if http else {}
    oauth: Manifest = {"scopes": {"bot": sorted(SCOPES)}}
    if settings.slack_client_id:
        oauth = {"redirect_urls": [url + REDIRECT_PATH], **oauth}
    return {
        "display_information": {
            "name": NAME,
            "description": "Send a link; it carries back the video, the audio or the transcript.",
            "background_color": "#1b3a4b",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": NAME, "always_online": True},
            "shortcuts": _shortcuts(),
            "slash_commands": [{**command, **posted} for command in _commands(settings)],
        },
        "oauth_config": oauth,
        "settings": {
            "event_subscriptions": {**requested, "bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True, **requested},
            "org_deploy_enabled": False,
            "socket_mode_enabled": not http,
            "token_rotation_enabled": False,
        },
    }


def as_yaml(value: object, indent: int = 0) -> str:
    """Plain data as YAML; words are quoted as in JSON, which YAML allows."""
    space = "  " * indent
    if isinstance(value, Mapping) and value:
        return "".join(f"{space}{name}:{_below(one, indent)}" for name, one in value.items())
    if isinstance(value, list | tuple) and value:
        items = (as_yaml(one, indent + 1) for one in value)
        return "".join(f"{space}- {item[len(space) + 2 :]}" for item in items)
    return f"{space}{json.dumps(value, ensure_ascii=False)}\n"


def _below(value: object, indent: int) -> str:
    if isinstance(value, Mapping | list | tuple) and value:
        return "\n" + as_yaml(value, indent + 1)
    return " " + as_yaml(value)


def _commands(settings: Settings) -> list[Manifest]:
    named = dict(zip(settings.slack_commands, COMMANDS, strict=True))
    own = [
        {"command": name, "description": USAGE[ours[1:]][1], "usage_hint": USAGE[ours[1:]][0]}
        for name, ours in named.items()
    ]
    every = {"command": UMBRELLA, "description": "All of it", "usage_hint": f"{'|'.join(USAGE)} ..."}
    return [{**command, "should_escape": False} for command in [*own, every]]


def _shortcuts() -> list[Manifest]:
    return [
        {
            "name": "Fetch this link",
            "type": "message",
            "callback_id": FETCH_LINK,
            "description": "Fetch the video behind the link in this message",
        },
        {
            "name": "Fetch a link",
            "type": "global",
            "callback_id": FETCH,
            "description": "Fetch a video, its sound or its transcript",
        },
    ]
