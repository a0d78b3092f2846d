"""One call of a method: its parameters and files, however the client sent them."""

import json
from dataclasses import dataclass, field
from email import message_from_string
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from tests.telegram.refusal import Refused, bad_request


@dataclass(frozen=True)
class Upload:
    """A file in a multipart form."""

    name: str
    content: bytes
    mime: str


@dataclass
class Call:
    """A method with its parameters as sent; `error` is set when it was refused, `result` when it was not."""

    method: str
    parameters: dict[str, Any]
    files: dict[str, Upload] = field(default_factory=dict)
    time: float = 0.0
    result: Any = None
    error: Refused | None = None

    def text(self, name: str) -> str:
        """The parameter, or an empty string."""
        value = self.parameters.get(name)
        return "" if value is None else str(value)

    def integer(self, name: str) -> int | None:
        """The parameter as a number, None without it."""
        try:
            return int(self.text(name)) if self.text(name) else None
        except ValueError:
            raise bad_request(f'field "{name}" must be a valid Number') from None

    def flag(self, name: str) -> bool:
        """The parameter as a truth value."""
        return self.text(name).lower() in ("true", "1", "yes")

    def json(self, name: str) -> Any:
        """The parameter decoded from JSON, None without it."""
        value = self.parameters.get(name)
        if not isinstance(value, str) or not value:
            return value or None
        try:
            return json.loads(value)
        except ValueError:
            raise bad_request(f"can't parse {name.replace('_', ' ')} JSON object") from None


async def read_call(request: Request, method: str) -> Call:
    """The call in this request: query, form, multipart form or JSON."""
    call = Call(method, dict(request.query_params))
    headers = message_from_string(f"content-type: {request.headers.get('content-type', '')}", policy=HTTP)
    kind = headers.get_content_type()
    body = await request.body()
    if kind == "application/json":
        call.parameters |= json.loads(body)
    elif kind == "application/x-www-form-urlencoded":
        call.parameters |= dict(parse_qsl(body.decode(), keep_blank_values=True))
    elif kind == "multipart/form-data":
        _read_parts(call, body, str(headers.get_param("boundary")).encode())
    return call


def _read_parts(call: Call, body: bytes, boundary: bytes) -> None:
    """A multipart form; python-multipart is not among the project's packages, and this is all of it."""
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = message_from_string(head.decode(), policy=HTTP)
        disposition = headers["content-disposition"].params
        name, filename = disposition["name"], disposition.get("filename")
        if filename is None:
            call.parameters[name] = content.decode()
        else:
            call.files[name] = Upload(filename, content, headers.get_content_type())
