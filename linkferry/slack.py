"""Slack, put together from the parts."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import ClientSession
from fastapi import APIRouter
from slack_bolt.async_app import AsyncApp

from bots.platforms import installs, wants_http
from bots.slack.app import build_app
from bots.slack.forms import Forms
from bots.slack.handlers import Forget, SlackBot, keep
from bots.slack.http import events_router, install_router
from bots.slack.installing import install_flow
from bots.slack.life import SlackLife
from bots.slack.outside import ReachingClient
from bots.slack.replies import Replies
from bots.slack.workspaces import Workspaces
from linkferry.compose import Parts
from linkferry.front import build_front
from shared.chat import MessageClient
from shared.chat.deliver import Deliverer
from shared.chat.pace import Pace
from shared.chat.paced import PacedClient
from shared.chat.slack.chats import BASE, PLATFORM, place, windows
from shared.chat.slack.client import SlackClient
from shared.chat.slack.sharing import Sharing
from shared.chat.slack.web import Clients, one_workspace, open_session


@asynccontextmanager
async def running_slack(
    parts: Parts, clients: dict[str, MessageClient], deliverer: Deliverer | None
) -> AsyncIterator[list[APIRouter]]:
    """Talk to people in Slack while the block runs; yields what the web endpoint has to serve."""
    settings = parts.settings
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session())
        webs, forget = _clients(parts, session, stack)
        client = SlackClient(webs, session, Sharing(parts.database, parts.storage))
        paced = PacedClient(ReachingClient(client), Pace(windows, BASE, place), platform=PLATFORM)
        front = build_front(parts, PLATFORM, paced, clients, deliverer)
        replies = Replies(client, paced)
        bot = SlackBot(front.desk, webs, replies, settings.slack_commands, forget)
        app = build_app(settings, bot, Forms(bot, client))
        life = SlackLife(settings, session, app, replies, front.herald, front.on_ready)
        await stack.enter_async_context(life.living())
        if deliverer is not None:
            stack.push_async_callback(deliverer.let_go, PLATFORM)
        yield _routers(parts, session, app)


def _clients(parts: Parts, session: ClientSession, stack: AsyncExitStack) -> tuple[Clients, Forget]:
    """One workspace by its token, or all that have installed the app; and how one of them is forgotten."""
    settings = parts.settings
    if not installs(settings):
        return one_workspace(settings.slack_bot_token, settings.slack_api_url, session), keep
    workspaces = Workspaces(parts.database, settings, session)
    stack.push_async_callback(workspaces.close)
    return workspaces.client, workspaces.forget


def _routers(parts: Parts, session: ClientSession, app: AsyncApp) -> list[APIRouter]:
    settings, routers = parts.settings, []
    if wants_http(settings):
        routers.append(events_router(app, settings.slack_signing_secret))
    if installs(settings):
        routers.append(install_router(install_flow(settings, parts.database, session)))
    return routers
