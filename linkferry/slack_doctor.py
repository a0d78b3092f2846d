"""What `linkferry doctor` says about Slack: whether it knows the tokens, and how people are heard there."""

import asyncio

import aiohttp
from slack_sdk.errors import SlackApiError

from bots.platforms import installs, slack_lacks, uses_slack
from shared.chat.slack.errors import WRONG_TOKEN, code_of
from shared.chat.slack.web import open_session, web_client
from shared.checks import ANSWER_TIME, Finding
from shared.settings import Settings

WHERE = "See the app's page at api.slack.com/apps, and set"


async def look(settings: Settings) -> Finding:
    """Nothing of it is fatal: the rest of Linkferry does without Slack."""
    lacking = slack_lacks(settings)
    if not uses_slack(settings):
        return Finding("slack", "off." if lacking else "off: no token", lacking)
    try:
        async with asyncio.timeout(ANSWER_TIME), open_session() as session:
            return await _asked(settings, session, lacking)
    except SlackApiError as error:
        return Finding("slack", f"It refuses: {code_of(error)}.", "Try again in a while.")
    except (aiohttp.ClientError, OSError):  # OSError: also what takes too long
        advice = "Look at the network, or correct LINKFERRY_SLACK_API_URL."
        return Finding("slack", f"{settings.slack_api_url} does not answer.", advice)


async def _asked(settings: Settings, session: aiohttp.ClientSession, lacking: str) -> Finding:
    """Every token that is set is shown to Slack."""
    who = "workspaces that install it"
    if not installs(settings):
        web = web_client(settings.slack_bot_token, settings.slack_api_url, session)
        try:
            known = await web.auth_test()
        except SlackApiError as error:
            return _unknown(error, "bot token", "LINKFERRY_SLACK_BOT_TOKEN")
        who = f"@{known['user']} in {known['team']}"
    if settings.slack_app_token:
        web = web_client(settings.slack_app_token, settings.slack_api_url, session)
        try:
            await web.apps_connections_open(app_token=settings.slack_app_token)
        except SlackApiError as error:
            return _unknown(error, "app-level token", "LINKFERRY_SLACK_APP_TOKEN")
    if lacking:
        return Finding("slack", f"{who}, but nobody is heard.", lacking)
    return Finding("slack", f"{who}, {'in Socket Mode' if settings.slack_app_token else 'by HTTP'}")


def _unknown(error: SlackApiError, token: str, variable: str) -> Finding:
    """Raises the error again when it is not about the token."""
    if code_of(error) not in WRONG_TOKEN:
        raise error
    return Finding("slack", f"The {token} is not known ({code_of(error)}).", f"{WHERE} {variable}.")
