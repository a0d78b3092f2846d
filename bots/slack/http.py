"""HTTP mode: what Slack posts, signed; and the pages by which workspaces install the app."""

import logging
from collections.abc import Mapping

from fastapi import APIRouter, Request, Response
from slack_bolt.adapter.starlette.async_handler import (
    AsyncSlackRequestHandler,
    to_async_bolt_request,
    to_starlette_response,
)
from slack_bolt.async_app import AsyncApp
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_sdk.signature import SignatureVerifier

from bots.slack.manifest import EVENTS_PATH, INSTALL_PATH, REDIRECT_PATH
from shared.chat.slack.chats import PLATFORM
from shared.telemetry import log_context

log = logging.getLogger(__name__)

MAX_BODY = 1024 * 1024  # bytes; a press sends the whole message along, a form the whole form


def events_router(app: AsyncApp, signing_secret: str) -> APIRouter:
    """`POST /slack/events`: commands, presses and events."""
    router = APIRouter()
    handler = AsyncSlackRequestHandler(app)
    verifier = SignatureVerifier(signing_secret)

    @router.post(EVENTS_PATH, include_in_schema=False, max_body_size=MAX_BODY)
    async def receive(request: Request) -> Response:
        """Take what Slack posts; answered once it is stored."""
        body = await request.body()
        if not _is_signed(verifier, body, request.headers):  # bolt reads the body before it checks that
            return Response(status_code=401)
        try:
            with log_context(platform=PLATFORM):
                return await handler.handle(request)
        except Exception:  # of bolt, which takes apart what it is given before it begins
            log.exception("Slack signed something that is no payload of its own")
            return Response(status_code=400)

    return router


def install_router(flow: AsyncOAuthFlow) -> APIRouter:
    """`GET /slack/install`, and where Slack sends people back to."""
    router = APIRouter()

    @router.get(INSTALL_PATH, include_in_schema=False)
    async def install(request: Request) -> Response:
        """A page with the button that installs the app."""
        return to_starlette_response(await flow.handle_installation(to_async_bolt_request(request, b"")))

    @router.get(REDIRECT_PATH, include_in_schema=False)
    async def installed(request: Request) -> Response:
        """Somebody pressed Allow, or did not."""
        return to_starlette_response(await flow.handle_callback(to_async_bolt_request(request, b"")))

    return router


def _is_signed(verifier: SignatureVerifier, body: bytes, headers: Mapping[str, str]) -> bool:
    try:
        return verifier.is_valid_request(body, dict(headers))
    except (ValueError, TypeError):  # a time that is no number, bytes that are no text, no ASCII
        return False
