"""The commands that Telegram offers while somebody types: for private chats, for groups, for the owner."""

import logging

from telegram import (
    Bot,
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
)
from telegram.error import TelegramError

from bots.commands import USAGE
from bots.telegram.texts import MENU, OWNERS_MENU

log = logging.getLogger(__name__)


async def set_menus(bot: Bot, owner: str | None) -> None:
    """Set them all. They are a convenience: what Telegram does not take costs nobody anything else."""
    await _set(bot, MENU, BotCommandScopeAllPrivateChats())
    await _set(bot, MENU, BotCommandScopeAllGroupChats())
    if owner is not None:
        await set_owners_menu(bot, owner)


async def set_owners_menu(bot: Bot, owner: str) -> None:
    """In the private chat of the owner there is more to say."""
    await _set(bot, MENU | OWNERS_MENU, BotCommandScopeChat(int(owner)))


async def _set(bot: Bot, more: dict[str, tuple[str, str]], scope: BotCommandScope) -> None:
    commands = [BotCommand(name, does) for name, (_, does) in (USAGE | more).items()]
    try:
        await bot.set_my_commands(commands, scope=scope)
    except TelegramError as error:
        log.info("the menu of commands was not set: %s", error)
