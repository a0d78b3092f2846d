"""What an update means, on recorded payloads and on variations of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from telegram import Update

from bots.telegram.reading import Incoming, Left, Moved, Person, Pressed, Said, read

RECORDED = Path(__file__).parents[2] / "telegram" / "updates"
LINK = "https://example.com/watch?v=abc123"


def recorded(name: str) -> dict[str, Any]:
    found = json.loads((RECORDED / f"{name}.json").read_text())
    assert isinstance(found, dict)
    return found


def meaning(raw: dict[str, Any]) -> Incoming | None:
    return read(Update.de_json(raw, None), "Linkferry_bot")


def text_of(raw: dict[str, Any]) -> str:
    said = meaning(raw)
    assert isinstance(said, Said), said
    return said.text


def group(text: str, **more: Any) -> dict[str, Any]:
    """A message of a group; `entities` as pairs of a kind and what it covers."""
    base = recorded("mention-group")
    message = base["message"] | {"text": text, "entities": []} | more
    message["entities"] = [
        {"type": kind, "offset": text.index(part), "length": len(part)} for kind, part in message["entities"]
    ]
    return base | {"message": message}


@pytest.mark.parametrize(
    "name", ["plain-link-private", "photo-caption-link", "forwarded-from-channel", "emoji-before-link",
             "text-link", "mention-group", "topic-message", "reply-get-to-link", "external-reply"],
)  # fmt: skip
def test_the_link_is_found_wherever_it_stands(name: str) -> None:
    text = text_of(recorded(name))
    assert text.count("https://") == 1


def test_a_hidden_link_stands_in_place_of_its_label() -> None:
    assert text_of(recorded("text-link")).split() == ["the", "film", "is", LINK, ",", "enjoy"]


def test_a_label_that_looks_like_a_link_deceives_nobody() -> None:
    raw = recorded("text-link")
    raw["message"] |= {
        "text": "https://good.example/x",
        "entities": [{"type": "text_link", "offset": 0, "length": 22, "url": LINK}],
    }
    assert text_of(raw) == LINK


def test_entities_count_utf_16_units() -> None:
    raw = recorded("text-link")
    raw["message"] |= {
        "text": "🎬🎬 here!",
        "entities": [{"type": "text_link", "offset": 5, "length": 4, "url": LINK}],
    }
    assert text_of(raw).split() == ["🎬🎬", LINK, "!"]


def test_a_reply_takes_the_link_of_what_it_answers() -> None:
    said = meaning(recorded("reply-get-to-link"))
    assert isinstance(said, Said)
    assert said.command == "get" and said.words == ["720p", "mp4", LINK]
    assert said.replied is not None and said.replied.name == "Bob" and said.replied_to == "201"


def test_a_bare_mention_takes_the_link_of_what_it_answers() -> None:
    answered = recorded("reply-get-to-link")["message"]["reply_to_message"]
    mention = group("@linkferry_bot", entities=[("mention", "@linkferry_bot")], reply_to_message=answered)
    assert text_of(mention).split() == [LINK]


def test_the_quoted_link_is_the_one_that_is_meant() -> None:
    raw = recorded("reply-get-to-link")
    raw["message"]["reply_to_message"] |= {"text": f"https://a.example/1 {LINK}", "entities": []}
    raw["message"]["quote"] = {"text": LINK, "position": 20}
    assert text_of(raw).split()[3:] == [LINK]


def test_where_and_who() -> None:
    said = meaning(recorded("topic-message"))
    assert isinstance(said, Said)
    speaker = said.speaker
    assert (speaker.chat_id, speaker.user_id, speaker.thread_id, speaker.message_id) == (
        "-1002000000002", "7000000001", "15", "31",
    )  # fmt: skip
    assert not speaker.is_private and speaker.name == "Ann Lee" and speaker.chat_title == "Forum"
    assert said.replied is None, "the message that opened the topic is nobody's"
    assert [said.event_key(n) for n in (0, 1)] == ["telegram:880000009:0", "telegram:880000009:1"]


@pytest.mark.parametrize("name", ["edited-message", "channel-post"])
def test_what_is_nobodys_wish(name: str) -> None:
    assert meaning(recorded(name)) is None


def test_what_happens_to_chats() -> None:
    assert meaning(recorded("bot-blocked")) == Left("7000000001", is_private=True)
    old, new = (meaning(recorded(f"group-migrates-{way}")) for way in ("to", "from"))
    assert isinstance(old, Moved) and old == new


@pytest.mark.parametrize("name", ["callback-query", "callback-inaccessible-message"])
def test_presses(name: str) -> None:
    pressed = meaning(recorded(name))
    assert isinstance(pressed, Pressed)
    assert pressed.speaker.chat_id == "7000000001" and pressed.message_id and pressed.data


@pytest.mark.parametrize(
    ("text", "entities", "is_ours"),
    [
        (f"/get {LINK}", [], True),
        (f"/get@Linkferry_Bot {LINK}", [], True),
        (f"/get@other_bot {LINK}", [], False),
        (f"/dance {LINK}", [], False),
        ("/settings", [], True),
        (LINK, [], False),
        (f"{LINK} @linkferry_bot", [("mention", "@linkferry_bot")], True),
        (f"{LINK} @linkferry_bot2", [("mention", "@linkferry_bot2")], False),
        (f"{LINK} @linkferry_bot", [], False),
        ("@linkferry_bot hello", [("mention", "@linkferry_bot")], True),
    ],
)
def test_what_is_for_us_in_a_group(text: str, entities: list[tuple[str, str]], is_ours: bool) -> None:
    assert (meaning(group(text, entities=entities)) is not None) == is_ours


@pytest.mark.parametrize(("text", "is_ours"), [(LINK, True), ("thank you", False)])
def test_a_reply_to_the_bot_counts_when_it_has_a_link(text: str, is_ours: bool) -> None:
    ours = recorded("mention-group")["message"] | {
        "from": {"id": 1, "is_bot": True, "first_name": "Linkferry", "username": "linkferry_bot"},
        "text": "Done",
        "entities": [],
    }
    assert (meaning(group(text, reply_to_message=ours)) is not None) == is_ours


def test_other_bots_and_service_messages_say_nothing() -> None:
    bot = {"id": 2, "is_bot": True, "first_name": "Other", "username": "other_bot"}
    assert meaning(group(f"/get {LINK}", **{"from": bot})) is None
    raw = recorded("plain-link-private")
    del raw["message"]["text"]
    raw["message"]["pinned_message"] = raw["message"] | {"text": LINK}
    assert meaning(raw) is None


def test_an_anonymous_administrator_speaks_for_the_group() -> None:
    said = meaning(recorded("anonymous-admin"))
    assert isinstance(said, Said) and said.speaker.speaks_for_chat and not said.speaker.is_channel
    assert said.speaker.user_id == said.speaker.chat_id


def test_who_writes_as_a_channel_is_that_channel() -> None:
    raw = recorded("channel-sender")
    said = meaning(raw)
    assert isinstance(said, Said) and said.speaker.is_channel and not said.speaker.speaks_for_chat
    assert (said.speaker.user_id, said.speaker.name) == ("-1001900000001", "Film news")
    allow = meaning(group("/allow", reply_to_message=raw["message"]))
    assert isinstance(allow, Said) and allow.replied == Person("-1001900000001", "Film news")
    assert meaning(raw | {"message": raw["message"] | {"is_automatic_forward": True}}) is None


def test_an_album_is_one_wish() -> None:
    assert text_of(recorded("album-caption")).endswith(LINK)
    assert meaning(recorded("album-rest")) is None


def test_a_contact_is_a_person() -> None:
    said = meaning(recorded("reply-allow-to-contact"))
    assert isinstance(said, Said) and said.replied == Person("7000000002", "Bob Ray")


def test_a_reply_to_a_message_elsewhere_takes_the_link_that_telegram_tells() -> None:
    raw = recorded("external-reply")
    assert text_of(raw).split() == ["/get", "720p", LINK]
    raw["message"]["quote"] = {"text": "Look", "position": 0}
    assert text_of(raw).split() == ["/get", "720p", LINK], "the one that is previewed"
    del raw["message"]["external_reply"]["link_preview_options"]
    assert text_of(raw).split() == ["/get", "720p"]


def test_what_no_database_takes_is_left_out() -> None:
    raw = recorded("plain-link-private")
    raw["message"] |= {"text": "a\x00b\ud800c", "entities": []}
    raw["message"]["from"]["first_name"] = "A\x00\udfffnn"
    said = meaning(raw)
    assert isinstance(said, Said) and said.speaker.name.startswith("Ann") and said.text.startswith("ab")
