"""The bolt app: which payload goes to which handler. Nothing is acknowledged before it is stored.

`process_before_response` makes bolt answer after the handler has returned; a handler that raises is not
acknowledged, so that Slack repeats the event, or says that the command failed.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult

from bots.desk import NotStored
from bots.slack import reading, texts, views
from bots.slack.deeds import Said
from bots.slack.forms import Forms
from bots.slack.handlers import SlackBot
from shared.chat.slack.blocks import Message
from shared.settings import COMMANDS, UMBRELLA, Settings

log = logging.getLogger(__name__)

ANY = re.compile("")

# The library's own messages; at DEBUG they would hold everything that people write.
_bolt_log = logging.getLogger("bots.slack.bolt")
_bolt_log.setLevel(logging.INFO)

Body = dict[str, Any]


def command_names(settings: Settings) -> dict[str, str]:
    """Every slash command, and the command of ours that it stands for; none for the umbrella."""
    ours = (name.removeprefix("/") for name in COMMANDS)
    return {**dict(zip(settings.slack_commands, ours, strict=True)), UMBRELLA: ""}


def build_app(settings: Settings, bot: SlackBot, forms: Forms) -> AsyncApp:
    """The app with all its listeners; it starts nothing."""
    app = AsyncApp(
        name="linkferry",
        logger=_bolt_log,
        process_before_response=True,
        signing_secret=settings.slack_signing_secret,
        authorize=_authorize,
    )
    listen(app, command_names(settings), bot, forms)
    return app


def listen(app: AsyncApp, names: Mapping[str, str], bot: SlackBot, forms: Forms) -> None:
    """Register everything that people can do."""
    _listen_to_commands(app, names, bot)
    _listen_to_words(app, bot)
    _listen_to_presses(app, bot, forms)
    _listen_to_leaving(app, bot)

    @app.event(ANY)
    async def ignore(body: Body) -> None:
        """Something that an app with more subscriptions than ours is told, such as `link_shared`."""

    @app.error
    async def report(error: Exception) -> BoltResponse | None:
        """One line while the database is away; the whole story of a mistake of ours."""
        if isinstance(error, NotStored):
            log.warning("not stored, so not acknowledged: %s", error)
        else:
            log.error("a payload could not be handled", exc_info=error)
        return None


def _listen_to_commands(app: AsyncApp, names: Mapping[str, str], bot: SlackBot) -> None:
    async def on_command(ack: AsyncAck, body: Body) -> None:
        said = reading.read_command(body, names)
        await _answer(ack, await bot.said(said) if said else None)

    for name in names:
        app.command(name)(on_command)

    @app.command(ANY)
    async def on_other_name(ack: AsyncAck, body: Body) -> None:
        """Slack has the names of an earlier manifest."""
        log.warning("Slack has a command of another name: paste there what 'linkferry slack-manifest' prints")
        await _answer(ack, texts.sentence(texts.UNKNOWN_COMMAND))


def _listen_to_words(app: AsyncApp, bot: SlackBot) -> None:
    async def hear(said: Said | None) -> None:
        answer = await bot.said(said) if said else None
        if said and answer:
            bot.replies.tell(said.speaker, answer)

    @app.event("app_mention")
    async def on_mention(body: Body) -> None:
        await hear(reading.read_mention(body))

    @app.event("message")
    async def on_message(body: Body) -> None:
        await hear(reading.read_message(body))

    @app.event("app_home_opened")
    async def on_home(body: Body) -> None:
        if opened := reading.read_home(body):
            await bot.opened_home(opened)

    @app.shortcut({"type": "message_action", "callback_id": views.FETCH_LINK})
    async def on_message_shortcut(ack: AsyncAck, body: Body) -> None:
        await hear(reading.read_message_shortcut(body))
        await ack()


def _listen_to_presses(app: AsyncApp, bot: SlackBot, forms: Forms) -> None:
    @app.action(ANY)
    async def on_press(ack: AsyncAck, body: Body) -> None:
        if pressed := reading.read_press(body):
            await bot.pressed(pressed)
        await ack()

    @app.shortcut({"type": "shortcut", "callback_id": views.FETCH})
    async def on_shortcut(ack: AsyncAck, body: Body) -> None:
        if called := reading.read_shortcut(body):
            await bot.called(called)
        await ack()

    async def on_form(ack: AsyncAck, body: Body) -> None:
        filled = reading.read_form(body)
        mistakes = await forms.filled(filled) if filled else {}
        if mistakes:
            await ack(response_action="errors", errors=mistakes)
        else:
            await ack()

    for callback in (views.FETCH, views.SHARE):
        app.view(callback)(on_form)


def _listen_to_leaving(app: AsyncApp, bot: SlackBot) -> None:
    async def on_leaving(body: Body) -> None:
        if left := reading.read_leaving(body):
            await bot.left(left)

    for name in ("app_uninstalled", "tokens_revoked"):
        app.event(name)(on_leaving)


async def _answer(ack: AsyncAck, told: Message | None) -> None:
    """Acknowledge a command; an answer goes with it, for the person alone."""
    if told is None:
        await ack()
    else:
        await ack(text=told.text, blocks=told.blocks, response_type="ephemeral")


async def _authorize(enterprise_id: str | None, team_id: str | None, user_id: str | None) -> AuthorizeResult:
    """Whoever Slack signs for, or tells over our own connection, may ask; calls have clients of their own."""
    return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, user_id=user_id)
