"""One call of the Web API: its token and parameters, however the client sent them."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.slack.refusal import Refused, invalid_arguments, missing
from tests.slack.tokens import Token

Body = dict[str, Any]


@dataclass
class Call:
    """A method with its parameters as sent; `error` is set when it was refused, `result` when it was not."""

    method: str
    parameters: Body
    sent_token: str = ""
    client: tuple[str, str] = ("", "")  # id and secret of the app, where a call proves those
    token: Token = field(default_factory=Token)
    time: float = 0.0
    result: Body | None = None
    error: Refused | None = None

    def text(self, name: str) -> str:
        """The parameter, or an empty string."""
        value = self.parameters.get(name)
        return "" if value is None else str(value)

    def needed(self, name: str) -> str:
        """The parameter, without which the call has no sense."""
        if not self.text(name):
            raise missing(name)
        return self.text(name)

    def integer(self, name: str, otherwise: int) -> int:
        """The parameter as a number."""
        try:
            return int(self.text(name) or otherwise)
        except ValueError:
            raise invalid_arguments(f"must be a number [json-pointer:/{name}]") from None

    def flag(self, name: str) -> bool:
        """The parameter as a truth value."""
        return self.text(name).lower() in ("true", "1")

    def json(self, name: str, error: str = "invalid_arguments") -> Any:
        """The parameter decoded from JSON, None without it; `error` when it is no JSON."""
        value = self.parameters.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise Refused(error) from None

    def require(self, *scopes: str) -> None:
        """One of the scopes is needed."""
        granted = self.token.scopes
        self.token.used |= set(scopes) & granted if set(scopes) & granted else set()
        if scopes and not set(scopes) & granted:
            raise Refused("missing_scope", needed=",".join(scopes), provided=",".join(sorted(granted)))


async def read_call(request: web.Request, method: str) -> Call:
    """The call in this request: query, form, multipart form or JSON."""
    parameters: Body = dict(request.query)
    if request.content_type == "application/json":
        sent = await request.json()
        parameters |= sent if isinstance(sent, dict) else {}
    elif request.body_exists:
        parameters |= dict(await request.post())
    how, _, credentials = request.headers.get("Authorization", "").partition(" ")
    call = Call(method, parameters, str(parameters.pop("token", "")))
    if how == "Bearer":
        call.sent_token = credentials.strip()
    elif how == "Basic":
        name, _, secret = base64.b64decode(credentials).decode().partition(":")
        call.client = (name, secret)
    if parameters.get("client_id"):
        call.client = (call.text("client_id"), call.text("client_secret"))
    return call
