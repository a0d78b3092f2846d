"""Which chat platforms the settings ask for, and how what people say arrives; without their libraries."""

from shared.settings import Settings


def uses_telegram(settings: Settings) -> bool:
    """Whether there is a Telegram bot."""
    return bool(settings.telegram_token)


def wants_webhook(settings: Settings) -> bool:
    """Whether Telegram's updates come by webhook: it pushes to https only."""
    is_secure = settings.effective_public_url.startswith("https://")
    return bool(uses_telegram(settings) and settings.telegram_webhook_secret and is_secure)


def uses_slack(settings: Settings) -> bool:
    """Whether there is a Slack app: a token for one workspace, or what installs it in many."""
    return bool(settings.slack_bot_token) or installs(settings)


def installs(settings: Settings) -> bool:
    """Whether Slack workspaces install the app by themselves."""
    return bool(settings.slack_client_id and settings.slack_client_secret)


def wants_http(settings: Settings) -> bool:
    """Whether Slack posts to us: there is no token for Socket Mode, but a secret that Slack signs with."""
    return uses_slack(settings) and not settings.slack_app_token and bool(settings.slack_signing_secret)


def slack_lacks(settings: Settings) -> str:
    """What has to be set before anybody is heard in Slack; empty when nothing has, or nobody wants Slack."""
    asked = (
        settings.slack_app_token,
        settings.slack_signing_secret,
        settings.slack_client_id,
        settings.slack_client_secret,
    )
    if not uses_slack(settings):
        both = "for many workspaces LINKFERRY_SLACK_CLIENT_ID and LINKFERRY_SLACK_CLIENT_SECRET"
        return f"Set LINKFERRY_SLACK_BOT_TOKEN too, or {both}." if any(asked) else ""
    if not (settings.slack_app_token or settings.slack_signing_secret):
        return "Set LINKFERRY_SLACK_APP_TOKEN too, or LINKFERRY_SLACK_SIGNING_SECRET for HTTP mode."
    return ""


def serves_web(settings: Settings) -> bool:
    """Whether the web endpoint has a part in Slack: it takes what Slack posts, or installs the app."""
    return wants_http(settings) or installs(settings)
