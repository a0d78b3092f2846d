"""Updates that Telegram pushes: stored first, then answered, so that it repeats what was not stored."""

import hmac
import json
import logging
from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from telegram import Bot

from bots.telegram.reception import ALLOWED, Reception
from shared.settings import Settings

log = logging.getLogger(__name__)

PATH = "/telegram/webhook"
SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105
MAX_BODY = 512 * 1024  # bytes; tdlib keeps no longer ones, and what is refused comes again for 23 hours
CONNECTIONS = 20  # at once, of Telegram's


async def set_webhook(bot: Bot, settings: Settings) -> None:
    """Tell Telegram where to push to. What waits there stays."""
    await bot.set_webhook(
        settings.effective_public_url + PATH,
        secret_token=settings.telegram_webhook_secret,
        allowed_updates=ALLOWED,
        max_connections=CONNECTIONS,
        drop_pending_updates=False,
    )


def telegram_router(settings: Settings, reception: Callable[[], Reception | None]) -> APIRouter:
    """`POST /telegram/webhook`. `reception` is None until the bot knows its own name: come again."""
    router = APIRouter()
    secret = settings.telegram_webhook_secret.encode()

    @router.post(PATH, include_in_schema=False, max_body_size=MAX_BODY)
    async def receive(request: Request) -> Response:
        """Take one update."""
        given = request.headers.get(SECRET_HEADER, "").encode("latin-1")
        if not hmac.compare_digest(given, secret):
            return Response(status_code=401)
        try:
            update = json.loads(await request.body())
        except (ValueError, RecursionError):
            return Response(status_code=400)
        taker = reception()
        if taker is None or not await taker.take(update):
            return Response(status_code=503, headers={"retry-after": "5"})
        return Response()

    return router
