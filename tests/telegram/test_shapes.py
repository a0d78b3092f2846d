"""Updates have the documented shape: those that the double makes, and the recorded ones in updates/."""

import json
from pathlib import Path
from typing import Any

import pytest
from telegram import Bot, TelegramObject, Update

from tests.telegram import entities, utf16
from tests.telegram.double import TelegramDouble
from tests.telegram.people import Private

FIXTURES = sorted((Path(__file__).parent / "updates").glob("*.json"))


async def test_people_make_updates_in_telegrams_shape(
    telegram: TelegramDouble, bot: Bot, chat: Private
) -> None:
    ann = chat.people[0]
    forum = telegram.group("Forum", ann, is_forum=True)
    topic = await forum.opens_topic("Films")
    text = "👍 see here /get@linkferry_bot https://example.com/a_(b), or (example.com/c)."
    sent = await chat.sends(text, entities=[entities.link(text, "here", "https://example.org")])
    await chat.edits(sent, "https://example.com/2")
    await chat.sends("https://example.com", forwarded_from="News")
    await chat.sends("https://example.com", forwarded_from=telegram.user("Bob"), photo=b"\xff\xd8\xff")
    await chat.sends(document=("list.txt", b"x"), reply_to=sent)
    await forum.sends("/status", thread=topic)
    news = telegram.channel("News")
    await news.edits_post(await news.posts("https://example.com"), "b")
    await chat.blocks_bot()
    updates = await bot.get_updates()
    assert len(updates) == 10
    assert [unknown for update in updates for unknown in unknown_fields(update)] == []
    message = updates[1].message
    assert message is not None
    found = [message.parse_entity(one) for one in message.entities]
    assert found == ["here", "/get@linkferry_bot", "https://example.com/a_(b)", "example.com/c"]


def unknown_fields(thing: Any) -> list[str]:
    """The fields that python-telegram-bot does not know, anywhere in the object."""
    if isinstance(thing, (list, tuple)):
        return [field for one in thing for field in unknown_fields(one)]
    if not isinstance(thing, TelegramObject):
        return []
    names = [name for name in thing._get_attrs_names(include_private=False) if name != "api_kwargs"]
    return [*thing.api_kwargs, *(field for name in names for field in unknown_fields(getattr(thing, name)))]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_recorded_updates_have_telegrams_shape(path: Path) -> None:
    given = json.loads(path.read_text())
    update = Update.de_json(given, None)
    assert unknown_fields(update) == []
    assert lost(given, json.loads(update.to_json())) == []


def lost(given: Any, kept: Any) -> list[Any]:
    """What is given and not kept; the library adds fields of its own."""
    if isinstance(given, dict):
        return [one for name in given for one in lost(given[name], kept.get(name))]
    if isinstance(given, list):
        return [one for pair in zip(given, kept, strict=True) for one in lost(*pair)]
    return [] if given == kept else [given]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_entities_of_recorded_updates_cover_what_they_name(path: Path) -> None:
    begins = {"url": ("https://", "example."), "bot_command": ("/get", "/allow"), "mention": ("@",)}
    for text, entity in marked(json.loads(path.read_text())):
        words = utf16.cut(text, entity["offset"], entity["length"])
        assert words.startswith(begins.get(entity["type"], (words,))) and not set(words) & set(" ,")


def marked(thing: Any) -> list[tuple[str, dict[str, Any]]]:
    """Every entity with its text."""
    if isinstance(thing, list):
        return [pair for one in thing for pair in marked(one)]
    if not isinstance(thing, dict):
        return []
    own = [(thing["text"], one) for one in thing.get("entities", [])]
    own += [(thing["caption"], one) for one in thing.get("caption_entities", [])]
    return own + [pair for one in thing.values() for pair in marked(one)]


def test_there_is_an_update_of_every_kind() -> None:
    assert len(FIXTURES) == 23
    kinds = {kind for path in FIXTURES for kind in json.loads(path.read_text())} - {"update_id"}
    assert kinds == {"message", "edited_message", "channel_post", "callback_query", "my_chat_member"}
