"""The process that takes requests in, as a bot's handlers do: submit, show "Queued", remember the message.

When it was killed and starts again, every event without an acknowledgement arrives again, as platforms do it.
"""

import asyncio
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from bots import intake
from bots.intake import Origin, Submitted
from linkferry.compose import Parts, open_parts
from linkferry.signals import stop_on_signal
from shared.beside import beside
from shared.link import parse_link
from shared.models import Delivery, Request
from shared.options import Options
from shared.queue.rabbitmq import RabbitQueue
from shared.settings import Settings
from shared.telemetry import set_up_logging
from tests.chaos.chat import PLATFORM, ChatClient
from tests.chaos.history import History
from tests.chaos.kills import Reaper
from tests.chaos.plan import Ask
from tests.chaos.worker_main import HISTORY_VARIABLE

UNPUBLISHED = "between commit and publish"
PLAN_VARIABLE, START_VARIABLE, SITE_VARIABLE = "CHAOS_PLAN", "CHAOS_START", "CHAOS_SITE"
TRIES = 200  # a platform sends an event again for as long as nobody takes it; here it is bounded
PAUSE = 0.3

log = logging.getLogger(__name__)
T = TypeVar("T")


class Publisher:
    """Carries the plan out, each request in a task of its own."""

    def __init__(self, parts: Parts, history: History) -> None:
        self._parts = parts
        self._history = history
        self._chat = ChatClient()
        self._begin = float(os.environ[START_VARIABLE])
        self._site = os.environ[SITE_VARIABLE]

    async def run(self, plan: list[Ask]) -> None:
        """Returns when every request of the plan is acknowledged, and every cancel said."""
        known = {line["ask"]: line for line in self._history.all("acknowledged")}
        cancelled = {line["ask"] for line in self._history.all("cancelled")}
        async with asyncio.TaskGroup() as group:
            for ask in plan:
                if ask.number not in known or (ask.cancel_after is not None and ask.number not in cancelled):
                    group.create_task(self._carry_out(ask, is_known=ask.number in known))

    async def _carry_out(self, ask: Ask, *, is_known: bool) -> None:
        await asyncio.sleep(max(0.0, self._begin + ask.at - time.time()))
        self._history.note("attempted", ask=ask.number)
        submitted = await _insist(lambda: self._submit(ask))
        if not is_known:
            self._history.note(
                "acknowledged", ask=ask.number, request=submitted.request_id, job=submitted.job_id
            )
            await self._show_queued(submitted)
        if ask.cancel_after is not None:
            await asyncio.sleep(ask.cancel_after)
            await _insist(lambda: self._cancel(submitted))
            self._history.note("cancelled", ask=ask.number)

    async def _submit(self, ask: Ask) -> Submitted:
        origin = Origin(PLATFORM, f"chat of {ask.who}", ask.who, ask.event_key)
        link = parse_link(f"{self._site}{ask.path}")
        return await self._parts.intake.submit(link, Options.model_validate(ask.options), origin)

    async def _cancel(self, submitted: Submitted) -> None:
        await intake.cancel(self._parts.database, self._parts.queue, submitted.job_id, submitted.request_id)

    async def _show_queued(self, submitted: Submitted) -> None:
        """A chat that is away costs the status message; the result then comes in a message of its own."""
        mine = (Request.id == submitted.request_id, Request.status_message.is_(None))
        try:
            async with self._parts.database.read() as session:
                request = await session.get_one(Request, submitted.request_id)
            if request.status_message or request.delivery is Delivery.DELIVERED:
                return
            message = await self._chat.say(request, None, "Queued", is_final=False)
            async with self._parts.database.write() as session:
                await session.execute(update(Request).where(*mine).values(status_message=message))
        except (SQLAlchemyError, OSError) as error:
            log.warning("request %s stays without a status message: %s", submitted.request_id, error)


async def _insist(step: Callable[[], Awaitable[T]]) -> T:
    """Again while the database is away."""
    for _ in range(TRIES):
        try:
            return await step()
        except (SQLAlchemyError, OSError) as error:
            log.warning("once more: %s", error)
            await asyncio.sleep(PAUSE)
    return await step()


async def main() -> None:
    """Carry the plan out, then go on publishing until SIGTERM."""
    settings = Settings(_env_file=None)
    set_up_logging(settings)
    history = History(Path(os.environ[HISTORY_VARIABLE]))
    reaper = Reaper(history, list)
    reaper.before(RabbitQueue, "publish", UNPUBLISHED, lambda _, ids: bool(ids))
    plan = [Ask.from_json(found) for found in json.loads(Path(os.environ[PLAN_VARIABLE]).read_text())]
    stopped = asyncio.Event()
    with stop_on_signal(stopped.set):
        async with open_parts(settings) as parts, beside(parts.outbox.run()):
            await Publisher(parts, history).run(plan)
            history.note("all said")
            await stopped.wait()


if __name__ == "__main__":
    asyncio.run(main())
