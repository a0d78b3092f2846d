"""The answers with `"ok": false`, in Telegram's own words.

Bots decide by these texts, so they are Telegram's, letter by letter: from the server's published source
(tdlib/telegram-bot-api and tdlib/td) and from answers quoted in the threads of client libraries.
"""

from typing import Any


class Refused(Exception):
    """A call that Telegram answers with an error; `parameters` go into the answer as they are."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(f"{code} {description}")
        self.code = code
        self.description = description
        self.parameters = parameters

    def answer(self) -> dict[str, Any]:
        """The body of the answer."""
        body: dict[str, Any] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            body["parameters"] = self.parameters
        return body


def bad_request(reason: str) -> Refused:
    """400: the call is wrong, or the message, chat or topic is not what the bot thinks it is."""
    return Refused(400, f"Bad Request: {reason}")


def forbidden(reason: str) -> Refused:
    """403: the bot is not wanted there."""
    return Refused(403, f"Forbidden: {reason}")


def conflict(reason: str) -> Refused:
    """409: somebody else takes the updates."""
    return Refused(409, f"Conflict: {reason}")


def too_many_requests(retry_after: int) -> Refused:
    """429: come back in `retry_after` seconds."""
    return Refused(429, f"Too Many Requests: retry after {retry_after}", retry_after=retry_after)


def default_description(code: int) -> str:
    """What Telegram, or the proxy before it, says with this code when it says nothing better."""
    return {
        400: "Bad Request",
        401: "Unauthorized",
        403: "Forbidden",
        404: "Not Found",
        413: "Request Entity Too Large",
        500: "Internal Server Error",
        502: "Bad Gateway",
        503: "Service Unavailable",
        504: "Gateway Timeout",
    }.get(code, "Error")
