"""HTTP mode: commands, interactions and events posted to the app, signed with its signing secret."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import httpx

from tests.slack.delivery import Attempt, Delivery

_REASONS = {"timeout": "http_timeout", "http_error": "http_error", "connection_failed": "connection_failed"}


class SignedHttp:
    """Posts to one URL: to a real address, or into an ASGI app in this process."""

    def __init__(
        self, url: str, signing_secret: str, clock: Callable[[], float], app: Any | None = None
    ) -> None:
        self.url = url
        self.signing_secret = signing_secret
        self._clock = clock
        transport = httpx.ASGITransport(app, raise_app_exceptions=False) if app is not None else None
        self._client = httpx.AsyncClient(transport=transport, timeout=None)

    async def attempt(self, delivery: Delivery, number: int, reason: str, patience: float) -> Attempt:
        """Post once; acknowledged is what is answered with 2xx in time."""
        headers = {}
        if number and delivery.kind == "events_api":
            headers = {"x-slack-retry-num": str(number), "x-slack-retry-reason": _REASONS.get(reason, reason)}
        try:
            answer = await asyncio.wait_for(self.post(delivery.kind, delivery.payload, headers), patience)
        except TimeoutError:
            return Attempt("timeout")
        except httpx.TransportError:
            return Attempt("connection_failed")
        if not answer.is_success:
            return Attempt("http_error", repeats=answer.headers.get("x-slack-no-retry") != "1")
        return Attempt("ok", _read(answer))

    async def post(
        self, kind: str, payload: dict[str, Any], headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """One signed request; `headers` replace those that belong to it, a wrong signature too."""
        if kind == "slash_commands":
            body, content_type = urlencode(payload), "application/x-www-form-urlencoded"
        elif kind == "interactive":
            body = urlencode({"payload": json.dumps(payload)})
            content_type = "application/x-www-form-urlencoded"
        else:
            body, content_type = json.dumps(payload), "application/json"
        timestamp = str(int(self._clock()))
        own = {
            "content-type": content_type,
            "user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "x-slack-request-timestamp": timestamp,
            "x-slack-signature": sign(self.signing_secret, timestamp, body),
        }
        return await self._client.post(self.url, content=body, headers=own | (headers or {}))

    async def close(self) -> None:
        """No more requests."""
        await self._client.aclose()


def sign(secret: str, timestamp: str, body: str) -> str:
    """Slack's signature of a body."""
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256)
    return f"v0={digest.hexdigest()}"


def _read(answer: httpx.Response) -> Any:
    if not answer.content:
        return None
    if answer.headers.get("content-type", "").startswith("application/json"):
        return answer.json()
    return {"text": answer.text}
