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


def serves_web(settings: Settings) -> bool:
    """Whether the web endpoint has a part in Slack: it takes what Slack posts, or installs the app."""
    return wants_http(settings) or installs(settings)
