"""How a workspace installs the app: bolt's pages and the SDK's stores, on our database."""

import logging

import aiohttp
from slack_bolt import BoltResponse
from slack_bolt.error import BoltError
from slack_bolt.oauth.async_callback_options import (
    AsyncCallbackOptions,
    AsyncFailureArgs,
    AsyncSuccessArgs,
)
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.installation_store.sqlalchemy import AsyncSQLAlchemyInstallationStore
from slack_sdk.oauth.state_store.sqlalchemy import AsyncSQLAlchemyOAuthStateStore

from bots.slack.manifest import INSTALL_PATH, REDIRECT_PATH, SCOPES
from shared.chat.slack.web import web_client
from shared.database import Database
from shared.settings import Settings

log = logging.getLogger(__name__)

INSTALLING = 600  # seconds somebody may take to press Allow
ORGANISATION = (
    "Linkferry cannot be installed for a whole Enterprise organisation; "
    "choose one workspace on the page that asks where to install it, and do this for each of them."
)

_sdk_log = logging.getLogger("bots.slack.oauth")
_sdk_log.setLevel(logging.INFO)  # at DEBUG the SDK logs rows with tokens


class InstallFlow(AsyncOAuthFlow):
    """Bolt's, for single workspaces: a token for a whole organisation is not kept."""

    async def store_installation(self, request: AsyncBoltRequest, installation: Installation) -> None:
        """Keep the tokens. Raises BoltError for an organisation."""
        if installation.is_enterprise_install or not installation.team_id:
            raise BoltError(ORGANISATION)
        await super().store_installation(request, installation)


async def _installed(args: AsyncSuccessArgs) -> BoltResponse:
    return await args.default.success(args)


async def _not_installed(args: AsyncFailureArgs) -> BoltResponse:
    if args.error is not None and str(args.error) == ORGANISATION:
        log.warning("an organisation wanted to install the app: %s", ORGANISATION)
        return BoltResponse(status=400, body=ORGANISATION, headers={"content-type": "text/plain"})
    return await args.default.failure(args)


def install_flow(settings: Settings, database: Database, session: aiohttp.ClientSession) -> AsyncOAuthFlow:
    """What serves both pages: the one with the button, and the one that people come back to."""
    client_id, engine = settings.slack_client_id, database.engine
    return InstallFlow(
        client=web_client("", settings.slack_api_url, session),
        logger=_sdk_log,
        settings=AsyncOAuthSettings(
            client_id=client_id,
            client_secret=settings.slack_client_secret,
            scopes=tuple(SCOPES),
            redirect_uri=settings.effective_public_url + REDIRECT_PATH,
            install_path=INSTALL_PATH,
            redirect_uri_path=REDIRECT_PATH,
            installation_store=AsyncSQLAlchemyInstallationStore(client_id, engine, logger=_sdk_log),
            state_store=AsyncSQLAlchemyOAuthStateStore(INSTALLING, engine, logger=_sdk_log),
            state_expiration_seconds=INSTALLING,
            callback_options=AsyncCallbackOptions(success=_installed, failure=_not_installed),
            logger=_sdk_log,
        ),
    )
