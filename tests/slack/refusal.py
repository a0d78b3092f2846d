"""The answers with `"ok": false`, with Slack's own error codes."""

from typing import Any


class Refused(Exception):
    """A call that Slack answers with an error; `fields` go into the answer as they are."""

    def __init__(
        self,
        error: str,
        *problems: str,
        status: int = 200,
        headers: dict[str, str] | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(error, *problems)
        self.error = error
        self.problems = problems
        self.status = status
        self.headers = headers or {}
        self.fields = fields

    def answer(self) -> dict[str, Any]:
        """The body of the answer; what is wrong where is in `response_metadata`, as Slack has it."""
        body: dict[str, Any] = {"ok": False, "error": self.error, **self.fields}
        if self.problems:
            body["errors"] = list(self.problems)
            body["response_metadata"] = {"messages": [f"[ERROR] {one}" for one in self.problems]}
        return body


def invalid_arguments(*problems: str) -> Refused:
    """A parameter is missing or has no sense."""
    return Refused("invalid_arguments", *problems)


def missing(name: str) -> Refused:
    """The call lacks a parameter that it needs."""
    return invalid_arguments(f"missing required field: {name}")


def ratelimited(retry_after: int) -> Refused:
    """HTTP 429: come back in `retry_after` seconds."""
    return Refused("ratelimited", status=429, headers={"Retry-After": str(retry_after)})
