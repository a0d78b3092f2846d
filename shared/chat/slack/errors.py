"""What Slack's refusals mean to the rest of Linkferry."""

import logging

from slack_sdk.errors import SlackApiError

from shared.chat.port import MessageGone, Throttled

log = logging.getLogger(__name__)

REST = 10.0  # seconds, when Slack wants rest and does not say for how long

WRONG_TOKEN = {
    "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired",
    "not_allowed_token_type", "missing_scope",
}  # fmt: skip
_NOT_INVITED = {"not_in_channel", "channel_not_found", "user_not_in_channel"}
_GONE = {
    "message_not_found", "cant_update_message", "edit_window_closed", "is_archived", "is_inactive",
    "thread_not_found", "account_inactive", "token_revoked", "team_not_found", "team_access_not_granted",
    "org_login_required", "used_url", "expired_url", "no_active_hooks",
}  # fmt: skip
_UNCERTAIN = {"internal_error", "fatal_error", "service_unavailable", "request_timeout"}


class NotInvited(MessageGone):
    """The app is not in the channel, so nothing can be shown there until somebody invites it."""


def code_of(error: SlackApiError) -> str:
    """Slack's word for what is wrong; empty when the answer was not Slack's."""
    try:
        return str(error.response["error"] or "")
    except (KeyError, TypeError, ValueError):
        return ""


def status_of(error: SlackApiError) -> int:
    """The HTTP status of the answer; 0 when nobody knows."""
    response = error.response
    return int(getattr(response, "status_code", None) or getattr(response, "status", None) or 0)


def is_uncertain(error: SlackApiError) -> bool:
    """Whether Slack may have done what it was asked in spite of its answer."""
    status, code = status_of(error), code_of(error)
    return status >= 500 or code in _UNCERTAIN or (not code and status != 429)


def translate(error: SlackApiError) -> Exception:
    """What to raise instead: Throttled, NotInvited, MessageGone, or the same error."""
    code = code_of(error)
    if status_of(error) == 429 or code in ("ratelimited", "rate_limited"):
        return Throttled(rest(getattr(error.response, "headers", {})))
    if code in _NOT_INVITED:
        log.info("the app is not in the channel: %s", code)
        return NotInvited(code)
    if code in _GONE:
        log.info("nothing can be shown there any more: %s", code)
        return MessageGone(code)
    return error


def rest(headers: object) -> float:
    """Seconds that Slack wants to be left alone, from the headers of a refusal."""
    pairs = headers.items() if hasattr(headers, "items") else ()
    found = next((value for name, value in pairs if str(name).lower() == "retry-after"), None)
    try:
        return max(1.0, float(found))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return REST
