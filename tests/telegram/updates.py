"""The updates that wait for the bot: taken by getUpdates, or pushed to its webhook."""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.telegram.refusal import Refused, conflict

Update = dict[str, Any]

ONLY_ON_REQUEST = {"chat_member", "message_reaction", "message_reaction_count"}
WEBHOOK_IS_ACTIVE = (
    "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
OTHER_POLLER = "terminated by other getUpdates request; make sure that only one bot instance is running"


@dataclass
class Webhook:
    """Where updates are pushed to, and what was said when it was set."""

    url: str
    secret_token: str = ""
    max_connections: int = 40
    last_error: tuple[float, str] | None = None


@dataclass
class Updates:
    """One bot's queue. `history` keeps every update ever made; `push_retry` in seconds."""

    clock: Callable[[], float]
    push_retry: float = 0.05
    history: list[Update] = field(default_factory=list)
    pending: dict[int, Update] = field(default_factory=dict)
    repeats: list[Update] = field(default_factory=list)
    allowed: set[str] | None = None
    webhook: Webhook | None = None
    confirmed_below: int = 0
    dropped: bool = False  # somebody asked for the pending updates to be thrown away

    def __post_init__(self) -> None:
        self._poller: asyncio.Future[Refused | None] | None = None
        self._pushes: dict[int, deque[Update]] = {}
        self._pushers: dict[int, asyncio.Task[None]] = {}
        self._client: httpx.AsyncClient | None = None

    def add(self, kind: str, payload: dict[str, Any]) -> Update:
        """A new update; one that the bot did not allow is made and forgotten, as Telegram does."""
        update: Update = {"update_id": 880_000_001 + len(self.history), kind: payload}
        self.history.append(update)
        if self._is_allowed(kind):
            self.pending[update["update_id"]] = update
            self._offer(update)
        return update

    def repeat(self, update: Update) -> None:
        """Deliver an update again, as Telegram does when it did not learn that it had arrived."""
        if self.webhook is None:
            self.repeats.append(update)
        self._offer(update)

    def _is_allowed(self, kind: str) -> bool:
        return kind in self.allowed if self.allowed else kind not in ONLY_ON_REQUEST

    def allow(self, kinds: Any) -> None:
        """`allowed_updates`: None leaves the setting, an empty list is the default."""
        if kinds is not None:
            self.allowed = set(kinds) or None

    # getUpdates

    async def take(self, offset: int, limit: int, timeout: float) -> list[Update]:
        """Long polling. An offset confirms everything below it; a negative one counts from the end."""
        if self.webhook is not None:
            raise conflict(WEBHOOK_IS_ACTIVE)
        self.interrupt(conflict(OTHER_POLLER))
        self._confirm(offset)
        if not self._waiting() and timeout > 0:
            await self._wait(timeout)
        if self.repeats:
            return [self.repeats.pop(0)]
        return list(self.pending.values())[: max(1, min(limit, 100))]

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            offset = next(iter(list(self.pending)[offset:]), 0)
        self.confirmed_below = max(self.confirmed_below, offset)
        for update_id in [one for one in self.pending if one < offset]:
            del self.pending[update_id]

    def _waiting(self) -> bool:
        return bool(self.pending or self.repeats)

    async def _wait(self, timeout: float) -> None:
        poller = self._poller = asyncio.get_running_loop().create_future()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    refusal = await poller
                    if refusal is not None:
                        raise refusal
        finally:
            if self._poller is poller:
                self._poller = None

    def interrupt(self, refusal: Refused | None) -> None:
        """End the poll that waits, with an error or, None, with what there is."""
        if self._poller is not None and not self._poller.done():
            self._poller.set_result(refusal)

    # webhooks

    async def set_webhook(self, webhook: Webhook | None) -> None:
        """Push to this address from now on, or, None, wait for getUpdates again."""
        await self.close()
        self.webhook = webhook
        if webhook is not None:
            self._client = httpx.AsyncClient(timeout=60, trust_env=False, verify=False)
            self.interrupt(conflict("terminated by setWebhook request"))
            for update in list(self.pending.values()):
                self._offer(update)

    def _offer(self, update: Update) -> None:
        """The updates of one chat are pushed one after the other; chats do not wait for each other."""
        if self.webhook is None or self._client is None:
            self.interrupt(None)
            return
        key = chat_of(update)
        self._pushes.setdefault(key, deque()).append(update)
        if key not in self._pushers or self._pushers[key].done():
            self._pushers[key] = asyncio.create_task(self._push(key, self.webhook, self._client))

    async def _push(self, key: int, webhook: Webhook, client: httpx.AsyncClient) -> None:
        headers = {"content-type": "application/json"}
        if webhook.secret_token:
            headers["x-telegram-bot-api-secret-token"] = webhook.secret_token
        while self._pushes[key]:
            update = self._pushes[key][0]
            problem = await _delivered(client, webhook.url, headers, update)
            if problem is None:
                self._pushes[key].popleft()
                self.pending.pop(update["update_id"], None)
            else:
                webhook.last_error = self.clock(), problem
                await asyncio.sleep(self.push_retry)

    async def close(self) -> None:
        """Stop pushing; what was not delivered stays pending."""
        tasks = list(self._pushers.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pushers.clear()
        self._pushes.clear()
        if self._client is not None:
            await self._client.aclose()
            self._client = None


async def _delivered(
    client: httpx.AsyncClient, url: str, headers: dict[str, str], update: Update
) -> str | None:
    """None when the webhook took it, else what went wrong in Telegram's words."""
    try:
        answer = await client.post(url, content=json.dumps(update), headers=headers)
    except httpx.HTTPError as error:
        return f"Connection failed: {type(error).__name__}"
    if answer.is_success:
        return None
    return f"Wrong response from the webhook: {answer.status_code} {answer.reason_phrase}"


def chat_of(update: Update) -> int:
    """The chat that an update belongs to, 0 when it belongs to none."""
    for kind, payload in update.items():
        if kind != "update_id":
            where = payload.get("message", payload) if kind == "callback_query" else payload
            return int(where.get("chat", {}).get("id", 0))
    return 0
