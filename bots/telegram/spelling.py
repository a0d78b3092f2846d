"""What a message says, without what only Telegram's own programs show: hidden links, mentions of the bot."""

from collections.abc import Sequence

from telegram import Message, MessageEntity, User

from bots.storable import storable


def spelled_out(message: Message, bot: str) -> str:
    """The text of a message, or the caption under its file."""
    if message.text is not None:
        return spell(message.text, message.entities, bot)
    return spell(message.caption or "", message.caption_entities, bot)


def spell(text: str, entities: Sequence[MessageEntity], bot: str) -> str:
    """The text with the addresses of hidden links in place of their labels, without mentions of the bot."""
    units = text.encode("utf-16-le", "surrogatepass")  # entities count these
    found, position = [], 0
    for entity in sorted(entities, key=lambda one: one.offset):
        start, end = 2 * entity.offset, 2 * (entity.offset + entity.length)
        if not position <= start < end <= len(units):
            continue
        if entity.type == MessageEntity.TEXT_LINK and entity.url:
            instead = f" {entity.url} "
        elif _is_mention(entity, units, bot):
            instead = " "
        else:
            continue
        found += [_decoded(units[position:start]), instead]
        position = end
    found.append(_decoded(units[position:]))
    return storable("".join(found)).strip()


def mentions(message: Message, bot: str) -> bool:
    """Whether the message names the bot."""
    text, entities = message.text or "", message.entities
    if message.text is None:
        text, entities = message.caption or "", message.caption_entities
    units = text.encode("utf-16-le", "surrogatepass")
    return any(_is_mention(entity, units, bot) for entity in entities)


def _is_mention(entity: MessageEntity, units: bytes, bot: str) -> bool:
    if entity.type == MessageEntity.TEXT_MENTION:
        return is_bot(entity.user, bot)
    if entity.type != MessageEntity.MENTION:
        return False
    covered = _decoded(units[2 * max(0, entity.offset) : 2 * (entity.offset + entity.length)])
    return covered.lower() == f"@{bot}"


def is_bot(user: User | None, bot: str) -> bool:
    """Whether that is us; `bot` is our name in small letters."""
    return user is not None and (user.username or "").lower() == bot


def _decoded(units: bytes) -> str:
    return units.decode("utf-16-le", "replace")
