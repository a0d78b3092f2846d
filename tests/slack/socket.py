"""Socket Mode: WebSockets that the app opens, envelopes on them, and what happens to connections."""

import asyncio
import contextlib
import itertools
import json
import uuid
from typing import Any

from aiohttp import WSMsgType, web

from tests.slack.delivery import Attempt, Delivery
from tests.slack.refusal import Refused

MOST_CONNECTIONS = 10


class Connection:
    """One WebSocket of the app. A deaf one stays open and neither brings nor takes anything."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.socket = socket
        self.request = request
        self.is_deaf = False
        self.answers_pings = True
        self.acks: dict[str, asyncio.Future[Any]] = {}

    async def deliver(self, envelope: dict[str, Any], patience: float) -> Attempt:
        """Send one envelope and wait for the message with its envelope_id."""
        ack: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.acks[envelope["envelope_id"]] = ack
        try:
            if not self.is_deaf:
                await self.socket.send_str(json.dumps(envelope))
            return Attempt("ok", await asyncio.wait_for(ack, patience))
        except TimeoutError:
            return Attempt("timeout")
        except ConnectionError:
            return Attempt("connection_failed")
        finally:
            del self.acks[envelope["envelope_id"]]

    def hears(self, text: str) -> None:
        """A message of the app: the acknowledgement of an envelope."""
        message = json.loads(text)
        ack = self.acks.get(message.get("envelope_id"))
        if ack is not None and not ack.done() and not self.is_deaf:
            ack.set_result(message.get("payload"))

    def lost(self) -> None:
        """Nothing comes from this connection any more."""
        for ack in self.acks.values():
            if not ack.done():
                ack.set_exception(ConnectionError())


class SocketMode:
    """The app's connections. `total` counts those ever made, `urls` the addresses ever given out.

    `ping_every` is in seconds; Slack pings every few seconds, and an app may watch for that.
    """

    def __init__(self, app_id: str, ping_every: float = 5.0) -> None:
        self.connections: list[Connection] = []
        self.total = 0
        self.urls = 0
        self.ping_every = ping_every
        self._app_id = app_id
        self._tickets: set[str] = set()
        self._turns = itertools.count()
        self._opened = asyncio.Event()

    def ticket(self) -> str:
        """What opens one connection, once."""
        ticket = uuid.uuid4().hex
        self._tickets.add(ticket)
        self.urls += 1
        return ticket

    async def connected(self, count: int = 1, patience: float = 60) -> None:
        """Wait until the app has so many connections open."""

        async def enough() -> None:
            while len(self.connections) < count:
                self._opened.clear()
                await self._opened.wait()

        try:
            await asyncio.wait_for(enough(), patience)
        except TimeoutError:
            raise AssertionError(f"{len(self.connections)} connections are open, not {count}") from None

    async def attempt(self, delivery: Delivery, number: int, reason: str, patience: float) -> Attempt:
        """Deliver on one of the connections, each in its turn; wait a little when there is none now."""
        if self.urls == 0:  # nobody is about to connect
            return Attempt("no_connection")
        try:
            await self.connected(1, patience)
        except AssertionError:
            return Attempt("no_connection")
        connection = self.connections[next(self._turns) % len(self.connections)]
        envelope = {
            "envelope_id": str(uuid.uuid4()),
            "type": delivery.kind,
            "payload": delivery.payload,
            "accepts_response_payload": delivery.kind != "events_api",
        }
        if delivery.kind == "events_api":
            envelope |= {"retry_attempt": number, "retry_reason": reason}
        return await connection.deliver(envelope, patience)

    # what happens to connections

    async def disconnect(self, reason: str = "refresh_requested", *, closes: bool | None = None) -> None:
        """Tell every connection that it ends; Slack closes it too, except after a `warning`."""
        for connection in list(self.connections):
            await connection.socket.send_str(json.dumps({"type": "disconnect", "reason": reason}))
            if closes if closes is not None else reason != "warning":
                await connection.socket.close()

    def go_deaf(self, *, answers_pings: bool = True) -> None:
        """The open connections stay open and bring nothing any more, no pings of Slack either.

        With `answers_pings` False not even the pings of the app are answered.
        """
        for connection in self.connections:
            connection.is_deaf = True
            connection.answers_pings = answers_pings

    async def drop(self) -> None:
        """The open connections break without a word."""
        for connection in list(self.connections):
            if connection.request.transport is not None:
                connection.request.transport.abort()

    async def close(self) -> None:
        """The double goes."""
        for connection in list(self.connections):
            connection.lost()
            with contextlib.suppress(Exception):
                await connection.socket.close()

    # the endpoint

    async def endpoint(self, request: web.Request) -> web.StreamResponse:
        """A WebSocket, for a ticket that is still good."""
        if request.query.get("ticket") not in self._tickets:
            return web.json_response(Refused("invalid_auth").answer(), status=403)
        self._tickets.discard(request.query["ticket"])
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        if len(self.connections) >= MOST_CONNECTIONS:
            await socket.send_str(json.dumps({"type": "disconnect", "reason": "too_many_websockets"}))
            await socket.close()
            return socket
        connection = Connection(socket, request)
        self.connections.append(connection)
        self.total += 1
        pings = asyncio.create_task(self._ping(connection))
        try:
            await socket.send_str(json.dumps(self._hello()))
            self._opened.set()
            await self._listen(connection)
        finally:
            pings.cancel()
            connection.lost()
            self.connections.remove(connection)
        return socket

    async def _listen(self, connection: Connection) -> None:
        async for message in connection.socket:
            if message.type is WSMsgType.TEXT:
                connection.hears(message.data)
            elif message.type is WSMsgType.PING and connection.answers_pings:
                await connection.socket.pong(message.data)

    async def _ping(self, connection: Connection) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                if not connection.is_deaf:
                    await connection.socket.ping(b"Ping from the double")
                await asyncio.sleep(self.ping_every)

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello",
            "num_connections": len(self.connections),
            "debug_info": {"host": "double", "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": self._app_id},
        }
