"""Payloads as Slack sends them, and payloads as nobody should send them."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.commands import Get, Subs, parse
from bots.slack import reading
from bots.slack.deeds import Way
from bots.slack.markup import spoken
from shared.chat.slack.chats import split_chat
from tests.slack.recorded import NAMES as RECORDED
from tests.slack.recorded import recorded

NAMES = {"/get": "get", "/subs": "subs", "/status": "status", "/ferry": ""}
READERS = (
    lambda body: reading.read_command(body, NAMES),
    reading.read_mention,
    reading.read_message,
    reading.read_home,
    reading.read_press,
    reading.read_shortcut,
    reading.read_message_shortcut,
    reading.read_form,
)
LINK = "https://video.example/watch?v=7&list=2"


def test_a_command() -> None:
    said = reading.read_command(recorded("slash_command"), NAMES)
    assert said is not None and said.text == f"/get {LINK} 720p"
    assert said.speaker.chat_id == "T061EG9R6/C061EG9SL"
    assert said.event_key(0) == "slack:13345224609.738474920.8088930838d88f008e0:0"
    asker = said.speaker.asker()
    assert asker.user_id == "T061EG9R6/U061F7AUR" and (asker.reply_to or "").startswith("https://hooks")


def test_a_mention_in_a_channel_and_in_a_thread() -> None:
    said = reading.read_mention(recorded("app_mention"))
    assert said is not None and said.speaker.way is Way.MENTION and said.speaker.thread is None
    (command,) = parse(said.text)
    assert isinstance(command, Get) and command.link.url == LINK
    assert said.event_key(1) == "slack:Ev0LAN670R:1"
    threaded = reading.read_mention(recorded("app_mention_in_thread"))
    assert threaded is not None and threaded.speaker.thread is not None
    again = reading.read_mention(recorded("app_mention_retried")["body"])
    assert again is not None and again.event_key(0) == said.event_key(0)


def test_a_direct_message_and_the_apps_own_edit() -> None:
    said = reading.read_message(recorded("message_im"))
    assert said is not None and said.speaker.way is Way.DIRECT
    assert reading.read_message(recorded("message_im_own_edit")) is None
    body = recorded("message_im")
    with_picture = body | {"event": body["event"] | {"subtype": "file_share", "files": [{"id": "F1"}]}}
    assert reading.read_message(with_picture) == said


@pytest.mark.parametrize("change", [
    {"subtype": "bot_message"}, {"bot_id": "B1"}, {"edited": {"user": "U1", "ts": "1.0"}}, {"user": None},
    {"channel_type": "channel"}, {"subtype": "message_deleted"}, {"channel": "<!channel>"},
])  # fmt: skip
def test_what_is_not_a_persons_message_means_nothing(change: dict[str, Any]) -> None:
    body = recorded("message_im")
    assert reading.read_message(body | {"event": body["event"] | change}) is None


def test_links_that_are_being_typed_mean_nothing() -> None:
    for name in ("link_shared_composer", "link_shared_conversations_history"):
        body = recorded(name)
        assert reading.read_message(body) is None
        assert all(each(body) is None for each in READERS)


def test_shortcuts_presses_and_forms() -> None:
    said = reading.read_message_shortcut(recorded("message_action"))
    assert said is not None and said.text == LINK and said.speaker.thread == "1515449500.000010"
    called = reading.read_shortcut(recorded("shortcut"))
    assert called is not None and called.trigger
    pressed = reading.read_press(recorded("block_actions"))
    assert pressed is not None and pressed.speaker.answer_url is not None
    filled = reading.read_form(recorded("view_submission"))
    assert filled is not None and filled.callback_id == "fetch" and filled.values["link"] == LINK
    assert filled.speaker.channel == "C061EG9SL"
    assert filled.speaker.answer_url == "https://hooks.slack.com/app/T061EG9R6/1234567890/aBcDeF"
    unseen = recorded("block_actions_ephemeral")
    assert "message" not in unseen
    pressed = reading.read_press(unseen)
    assert pressed is not None and pressed.speaker.chat_id == "T061EG9R6/C061EG9SL"
    home = reading.read_home(recorded("app_home_opened"))
    assert home is None or home.speaker.user_id.count("/") == 1


def test_guests_are_told_apart_and_act_in_the_apps_workspace() -> None:
    own, guest = recorded("block_actions"), recorded("block_actions")
    guest["team"]["id"] = guest["user"]["team_id"] = "T0GUEST"
    at_home, abroad = reading.read_press(own), reading.read_press(guest)
    assert at_home is not None and abroad is not None
    assert (at_home.speaker.is_guest, abroad.speaker.is_guest) == (False, True)
    assert abroad.speaker.chat_id == at_home.speaker.chat_id
    filled = reading.read_form(recorded("view_submission_of_a_guest"))
    assert filled is not None and filled.speaker.team == "T061EG9R6"


def test_the_app_is_gone_when_it_or_its_bot_is_and_not_when_a_person_is() -> None:
    for name in ("app_uninstalled", "tokens_revoked"):
        left = reading.read_leaving(recorded(name))
        assert left is not None and left.team == "T061EG9R6" and left.at.year == 2023
    body = recorded("tokens_revoked")
    body["event"]["tokens"] = {"oauth": ["U061F7AUR"], "bot": []}
    assert reading.read_leaving(body) is None
    for at in (None, "soon", -1, 2**39, 10**30):
        assert reading.read_leaving(recorded("app_uninstalled") | {"event_time": at}) is None


@pytest.mark.parametrize(("typed", "text"), [
    ("<@U1> get <https://a.example/x|a> 720p", "/get <https://a.example/x|a> 720p"),
    ("<@U1>: /subs <https://a.example/x> de", "/subs <https://a.example/x> de"),
    ("<@U1|ferry> find <http://film.example|film.example> &amp; &lt;b&gt; <b>",
     "/find film.example & <b> <b>"),
    ("status", "/status"), ("Cancel 1a2b", "/cancel 1a2b"), ("getting <https://a.example>",
     "getting <https://a.example>"),
    ("<#C1|films> and <!here> <https://a.example/?a=1&amp;b=2>", "films and  <https://a.example/?a=1&amp;b=2>"),
    ("a &amp;lt; b", "a &lt; b"), ("", ""),
])  # fmt: skip
def test_what_people_type(typed: str, text: str) -> None:
    assert spoken(typed) == text


def test_a_transcript_in_words() -> None:
    (command,) = parse(spoken("<@U1> subs <https://a.example/x> de srt"))
    assert isinstance(command, Subs) and command.options.languages == ("de",)


WORDS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=40),
    st.sampled_from(["im", "view", "home", "U1", "T1", "C1", "1.2", "/get", "/ferry", "https://x.example",
                     "<https://x.example|y>", "\x00\ud800", "cancel:", "fetch", "share", "<@U1>"]),
)  # fmt: skip
KEYS = st.sampled_from([
    "event", "team_id", "team", "id", "user", "user_id", "channel", "channel_id", "command", "text", "type",
    "trigger_id", "event_id", "response_url", "actions", "action_id", "container", "view", "state", "values",
    "response_urls", "message", "thread_ts", "ts", "authorizations", "callback_id", "private_metadata", "tab",
    "channel_type", "selected_option", "value", "link", "where",
])  # fmt: skip
PAYLOADS = st.dictionaries(
    KEYS,
    st.recursive(
        WORDS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
        max_leaves=20,
    ),
    max_size=12,
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(PAYLOADS)
def test_no_payload_makes_a_reader_fail(body: dict[str, Any]) -> None:
    for read in READERS:
        found = read(body)
        if found is not None:
            split_chat(found.speaker.chat_id)
            json.dumps(found.speaker.user_id).encode()


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(RECORDED), st.data())
def test_no_broken_payload_makes_a_reader_fail(name: str, data: st.DataObject) -> None:
    body = broken(recorded(name), data)
    for read in (*READERS, reading.read_leaving):
        read(body)


def broken(value: Any, data: st.DataObject) -> Any:
    """The same with something replaced somewhere."""
    if isinstance(value, dict) and value:
        key = data.draw(st.sampled_from(sorted(value)))
        return value | {key: data.draw(WORDS) if data.draw(st.booleans()) else broken(value[key], data)}
    if isinstance(value, list) and value:
        return [broken(value[0], data), *value[1:]]
    return data.draw(WORDS)
