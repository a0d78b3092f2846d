"""The manifest asks for what the app uses, and for nothing else."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from slack_bolt.async_app import AsyncApp

from bots.slack.app import ANY, command_names, listen
from bots.slack.manifest import EVENTS, SCOPES, as_yaml, manifest
from bots.slack.views import FETCH, SHARE
from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
CALLS = re.compile(r"(?<!\.)\bweb\.(?:api_call\(\s*\"(?P<raw>[a-zA-Z.]+)\"|(?P<named>[a-z]+_[a-zA-Z0-9_]+))")
FOLDERS = ("bots/slack", "shared/chat/slack")

NEEDS: dict[str, set[str]] = {
    "apps.connections.open": set(),  # of the token for the app
    "auth.test": set(),
    "chat.postEphemeral": {"chat:write"},
    "chat.postMessage": {"chat:write"},
    "chat.update": {"chat:write"},
    "conversations.history": {"channels:history", "groups:history", "im:history"},
    "conversations.replies": {"channels:history", "groups:history", "im:history"},
    "files.completeUploadExternal": {"files:write"},
    "files.getUploadURLExternal": {"files:write"},
    "oauth.v2.access": set(),
    "users.info": {"users:read"},
    "views.open": set(),
    "views.publish": set(),
}
HEARD: dict[str, set[str]] = {
    "app_home_opened": set(),
    "app_mention": {"app_mentions:read"},
    "app_uninstalled": set(),
    "message.im": {"im:history"},
    "tokens_revoked": set(),
}


class Recorder(AsyncApp):
    """Notes what is listened to."""

    def __init__(self) -> None:
        super().__init__(token="xoxb-nobody", signing_secret="none")
        self.heard: list[tuple[str, Any]] = []

    def _note(self, kind: str, what: Any) -> Callable[..., Any]:
        self.heard.append((kind, what))
        return lambda function: function

    def command(self, command: Any, *_: Any, **__: Any) -> Any:
        return self._note("command", command)

    def event(self, event: Any, *_: Any, **__: Any) -> Any:
        return self._note("event", event)

    def action(self, constraints: Any, *_: Any, **__: Any) -> Any:
        return self._note("action", constraints)

    def shortcut(self, constraints: Any, *_: Any, **__: Any) -> Any:
        return self._note("shortcut", tuple(constraints.values()))

    def view(self, constraints: Any, *_: Any, **__: Any) -> Any:
        return self._note("view", constraints)


def settings(**changes: Any) -> Settings:
    return Settings(_env_file=None, **({"public_url": "https://ferry.example/"} | changes))


@pytest.mark.parametrize("commands", [("/get", "/subs", "/status"), ("/fetch", "/words", "/how")])
async def test_every_listener_has_its_entry_and_nothing_else_is_in_it(commands: tuple[str, ...]) -> None:
    given = settings(slack_commands=commands)
    app = Recorder()
    listen(app, command_names(given), None, None)  # type: ignore[arg-type]
    made = manifest(given, http=False)
    features, heard = made["features"], app.heard
    *commands_heard, any_other = [name for kind, name in heard if kind == "command"]
    assert commands_heard == [command["command"] for command in features["slash_commands"]]
    assert any_other == ANY, "those of an earlier manifest"
    types = {"message": "message_action", "global": "shortcut"}
    assert {name for kind, name in heard if kind == "shortcut"} == {
        (types[each["type"]], each["callback_id"]) for each in features["shortcuts"]
    }
    events = {str(name) for kind, name in heard if kind == "event" and name != ANY}
    assert events == {
        name.partition(".")[0] for name in made["settings"]["event_subscriptions"]["bot_events"]
    }
    assert {name for kind, name in heard if kind == "view"} == {FETCH, SHARE}
    assert [name for kind, name in heard if kind == "action"] == [ANY]
    assert made["settings"]["interactivity"]["is_enabled"]


def test_the_scopes_are_those_that_calls_and_events_need() -> None:
    called = set()
    for folder in FOLDERS:
        for path in (ROOT / folder).glob("*.py"):
            for match in CALLS.finditer(path.read_text()):
                called.add(match["raw"] or method_of(match["named"]))
    assert called == set(NEEDS)
    needed = set.union({"commands"}, *NEEDS.values(), *(HEARD[name] for name in EVENTS))
    assert needed == set(SCOPES)


def method_of(name: str) -> str:
    """`chat_postMessage` -> `chat.postMessage`."""
    return name.replace("_", ".")


def test_http_mode_names_the_address_and_socket_mode_needs_none() -> None:
    socket, http = (as_yaml(manifest(settings(), http=mode)) for mode in (False, True))
    assert "ferry.example" not in socket and "socket_mode_enabled: true" in socket
    assert http.count('"https://ferry.example/slack/events"') == 6 and "socket_mode_enabled: false" in http
    many = as_yaml(manifest(settings(slack_client_id="1.2"), http=True))
    assert '- "https://ferry.example/slack/oauth_redirect"' in many


def test_the_committed_example_is_what_the_command_prints() -> None:
    made = as_yaml(manifest(Settings(_env_file=None), http=False))
    assert (ROOT / "docs/slack-manifest.yaml").read_text() == made


def test_names_keep_slacks_limits() -> None:
    features = manifest(settings(), http=True)["features"]
    for shortcut in features["shortcuts"]:
        assert len(shortcut["name"]) <= 24 and len(shortcut["description"]) <= 150
    for command in features["slash_commands"]:
        assert len(command["command"]) <= 32 and len(command["description"]) <= 2000
        assert len(command["usage_hint"]) <= 1000


def test_yaml_of_nested_and_empty_things() -> None:
    made = as_yaml({"a": [{"b": "x: y", "c": []}, {"d": {}}], "e": None, "f": ["g"]})
    assert made == 'a:\n  - b: "x: y"\n    c: []\n  - d: {}\ne: null\nf:\n  - "g"\n'
