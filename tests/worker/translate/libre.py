"""A LibreTranslate server of ours, for tests: as strict as the documented API, with words of its own.

It is not LibreTranslate. What it takes, refuses and answers follows the API's description and the wording of
the real server's refusals; a translation is the text behind its target's code.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiohttp import web

NAMES = {
    "en": "English",
    "es": "Spanish",
    "de": "German",
    "zh-Hans": "Chinese",
    "zt": "Chinese (traditional)",
}
FIELDS = {"q", "source", "target", "format", "alternatives", "api_key"}


class Fault(StrEnum):
    """What goes wrong with one request for a translation."""

    BROKEN = "status 500"
    BUSY = "status 429"
    SLOW = "silence"
    GARBAGE = "a web page"
    SHORT = "one text too few"
    CUT = "the connection ends"
    REDIRECT = "somewhere else"


@dataclass
class LibreServer:
    """The server's state. `faults` happen to the next requests for translations, one each."""

    url: str = ""
    api_key: str = ""
    batch_limit: int = -1
    char_limit: int = -1
    retry_after: str = ""
    faults: list[Fault] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)  # every request for a translation

    async def languages(self, _: web.Request) -> web.Response:
        """What it has models for: everything to and from English."""
        targets = {code: ["en", code] for code in NAMES} | {"en": list(NAMES)}
        return web.json_response(
            [{"code": code, "name": name, "targets": targets[code]} for code, name in NAMES.items()]
        )

    async def translate(self, request: web.Request) -> web.StreamResponse:
        """The texts, each behind the target's code."""
        body = await request.json()
        self.asked.append(body)
        if self.faults and (answer := await self._misbehave(self.faults.pop(0), request, body)):
            return answer
        if refusal := self._refusal(body):
            status, words = refusal
            return web.json_response({"error": words}, status=status)
        texts = body["q"]
        translated = (
            [said(text, body["target"]) for text in texts]
            if isinstance(texts, list)
            else said(texts, body["target"])
        )
        return web.json_response({"translatedText": translated})

    def _refusal(self, body: dict[str, Any]) -> tuple[int, str] | None:
        if self.api_key and body.get("api_key") != self.api_key:
            if "api_key" in body:
                return 403, "Invalid API key"
            return 400, "Please contact the server operator to get an API key"
        for name in ("q", "source", "target"):
            if not body.get(name):
                return 400, f"Invalid request: missing {name} parameter"
        if unknown := set(body) - FIELDS:
            return 400, f"the documented API has no {unknown}"
        texts = body["q"] if isinstance(body["q"], list) else [body["q"]]
        for size, limit in ((len(texts), self.batch_limit), (sum(map(len, texts)), self.char_limit)):
            if -1 < limit < size:
                return 400, f"Invalid request: request ({size}) exceeds text limit ({limit})"
        for name in ("source", "target"):
            if body[name] not in NAMES:
                return 400, f"{body[name]} is not supported"
        if "en" not in (body["source"], body["target"]):
            return 400, f"{body['target']} is not available as a target language from {body['source']}"
        return None

    async def _misbehave(
        self, fault: Fault, request: web.Request, body: dict[str, Any]
    ) -> web.StreamResponse | None:
        if fault is Fault.BROKEN:
            return web.json_response({"error": "Cannot translate text: out of memory"}, status=500)
        if fault is Fault.BUSY:
            headers = {"Retry-After": self.retry_after} if self.retry_after else {}
            return web.json_response({"error": "Slowdown: 10 per 1 minute"}, status=429, headers=headers)
        if fault is Fault.GARBAGE:
            return web.Response(text="<html>Welcome to nginx!</html>", content_type="text/html")
        if fault is Fault.SHORT:
            return web.json_response({"translatedText": body["q"][1:]})
        if fault is Fault.REDIRECT:
            return web.Response(status=302, headers={"Location": self.url + "/languages"})
        if fault is Fault.CUT and request.transport:
            request.transport.abort()
        if fault is Fault.SLOW:
            await asyncio.sleep(60)
        return None


def said(text: str, target: str) -> str:
    """What our servers take for a translation."""
    return f"{target}: {text}"


@asynccontextmanager
async def libre_server(**state: Any) -> AsyncIterator[LibreServer]:
    """The server on loopback, below a path as behind a proxy."""
    server = LibreServer(**state)
    app = web.Application()
    app.add_routes(
        [web.get("/libre/languages", server.languages), web.post("/libre/translate", server.translate)]
    )
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        listener = web.TCPSite(runner, "127.0.0.1", 0)
        await listener.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/libre"
        yield server
    finally:
        await runner.cleanup()
