"""The line to Telegram: a Bot with patience that fits, which tells its token to nobody."""

import logging
import os

from telegram import Bot
from telegram.error import InvalidToken
from telegram.request import HTTPXRequest

from shared.chat.telegram.refusals import NOT_KNOWN
from shared.errors import ConfigError
from shared.settings import Settings

CLOUD = "https://api.telegram.org"
CONNECTIONS = 64
CONNECT, ANSWER, WRITE, POOL = 10.0, 20.0, 20.0, 10.0  # seconds for each step of a call without a file

_TALKATIVE = ("httpx", "httpcore", "telegram")  # they name addresses, and the token is part of each


class QuietBot(Bot):
    """A Bot that does not show its token where somebody prints it."""

    async def initialize(self) -> None:
        """Ask Telegram who we are. Raises ConfigError when it does not know the token."""
        try:
            await super().initialize()
        except InvalidToken:
            raise ConfigError(NOT_KNOWN) from None  # the library's own words quote the token

    def __repr__(self) -> str:
        return f"{type(self).__name__}[{self.token.partition(':')[0]}]"


def open_bot(settings: Settings) -> Bot:
    """A bot for the server that the settings name. Use it with `async with`, or initialize it first."""
    # durations as timedelta: what every later version of the library does, without its warnings until then
    os.environ.setdefault("PTB_TIMEDELTA", "true")
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    url = settings.telegram_api_url.rstrip("/")
    return QuietBot(
        settings.telegram_token,
        base_url=f"{url}/bot",
        base_file_url=f"{url}/file/bot",
        request=_request(CONNECTIONS),
        get_updates_request=_request(2),
    )


def is_cloud(settings: Settings) -> bool:
    """Whether that is Telegram's own server, with its limit of 50 MB, and not one of somebody's own."""
    return settings.telegram_api_url.rstrip("/") == CLOUD


def _request(connections: int) -> HTTPXRequest:
    return HTTPXRequest(
        connection_pool_size=connections,
        connect_timeout=CONNECT,
        read_timeout=ANSWER,
        write_timeout=WRITE,
        pool_timeout=POOL,
        media_write_timeout=WRITE,
    )
