"""What Slack tells the app, and how it insists: over Socket Mode or signed HTTP, again when nobody answers.

Slack repeats only events (at once, after one and after five minutes). A command or a press that is not
acknowledged in time is lost, and the person sees an error; `redelivers` widens that for a test.
"""

import asyncio
import copy
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

Body = dict[str, Any]
EVERYTHING = frozenset({"events_api", "slash_commands", "interactive"})


@dataclass
class Delivery:
    """One thing that the app is told. `id` is its event_id or trigger_id, the same in every delivery.

    `outcomes` has for each attempt `ok`, `timeout`, `http_error`, `connection_failed` or `no_connection`;
    `seconds` the time that each took; `answer` is what came with the acknowledgement.
    """

    id: str
    kind: str
    payload: Body
    on_answer: Callable[[Any], None] | None = None
    outcomes: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    answer: Any = None
    _acked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_acked(self) -> bool:
        """Some attempt was acknowledged in time."""
        return self._acked.is_set()

    @property
    def error(self) -> str | None:
        """What the person sees when the app does not answer: Slack's words for it, None without one."""
        if self.is_acked or not self.outcomes or self.kind == "events_api":
            return None
        words = {"timeout": "operation_timeout", "http_error": "http_service_error"}
        return words.get(self.outcomes[-1], "dispatch_failed")

    async def acked(self) -> "Delivery":
        """Wait until it is acknowledged."""
        try:
            await asyncio.wait_for(self._acked.wait(), 60)
        except TimeoutError:
            raise AssertionError(f"never acknowledged: {self.kind} {self.outcomes}") from None
        return self


@dataclass(frozen=True)
class Attempt:
    """How one attempt went: the outcome, and the answer with it; `repeats` False asks for no more."""

    outcome: str
    answer: Any = None
    repeats: bool = True


class Transport(Protocol):
    """A way to the app."""

    async def attempt(self, delivery: Delivery, number: int, reason: str, patience: float) -> Attempt:
        """Deliver once and wait for the acknowledgement; `number` is 0 the first time."""
        ...


class Courier:
    """Delivers, waits `patience` seconds for each acknowledgement, and repeats after `retry_delays`.

    Of the next `acks_to_lose` acknowledgements Slack learns nothing.
    """

    def __init__(
        self,
        transport: Callable[[], Transport],
        patience: float,
        retry_delays: tuple[float, ...],
        redelivers: frozenset[str],
    ) -> None:
        self.patience = patience
        self.retry_delays = retry_delays
        self.redelivers = redelivers
        self.deliveries: list[Delivery] = []
        self.acks_to_lose = 0
        self._transport = transport
        self._tasks: set[asyncio.Task[Any]] = set()

    async def deliver(self, delivery: Delivery) -> Delivery:
        """The first attempt; what must be repeated is repeated in the background."""
        self.deliveries.append(delivery)
        attempt = await self._once(delivery, 0, "")
        if attempt.outcome != "ok" and attempt.repeats and delivery.kind in self.redelivers:
            self.start(self._insist(delivery))
        return delivery

    async def repeat(self, delivery: Delivery) -> Delivery:
        """The same once more, as Slack does after it got no answer in time."""
        await self._once(delivery, len(delivery.outcomes), "timeout")
        return delivery

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Something that goes on in the background until the double closes."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """No more attempts."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _insist(self, delivery: Delivery) -> None:
        for number, delay in enumerate(self.retry_delays, start=1):
            await asyncio.sleep(delay)
            attempt = await self._once(delivery, number, delivery.outcomes[-1])
            if attempt.outcome == "ok" or not attempt.repeats:
                return

    async def _once(self, delivery: Delivery, number: int, reason: str) -> Attempt:
        started = time.perf_counter()
        attempt = await self._transport().attempt(delivery, number, reason, self.patience)
        delivery.seconds.append(time.perf_counter() - started)
        if attempt.outcome == "ok" and self.acks_to_lose:
            self.acks_to_lose -= 1
            attempt = Attempt("timeout")
        delivery.outcomes.append(attempt.outcome)
        if attempt.outcome == "ok" and not delivery.is_acked:
            delivery.answer = copy.deepcopy(attempt.answer)
            if delivery.on_answer is not None:
                delivery.on_answer(attempt.answer)
            delivery._acked.set()
        return attempt
