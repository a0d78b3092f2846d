"""A service for tests only: the real composition with the recording chat, killing itself where told to.

`KILL_AT` in the environment names the moment, one of `MOMENTS`; without it the service runs until SIGTERM.
With `SHARE` it works beside another one on the same data folder, which only tests may do.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import worker.attempt
import worker.janitor
import worker.supervise
from linkferry.compose import open_parts, running_worker
from shared.queue import EmbeddedQueue
from shared.settings import Settings
from shared.telemetry import set_up_logging
from shared.worker_lock import worker_lock
from tests.journeys.chat import PLATFORM, RecordingChat
from worker.progress import Reporter
from worker.service import Worker


def die(*_: Any, **__: Any) -> None:
    """As if the power went."""
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: object, name: str, when: Callable[..., bool] = lambda *_, **__: True) -> None:
    """Die when this function is about to be called with such arguments."""
    real = getattr(owner, name)

    def replaced(*args: Any, **kwargs: Any) -> Any:
        if when(*args, **kwargs):
            die()
        return real(*args, **kwargs)

    setattr(owner, name, replaced)


def after_edit() -> None:
    """Die when a result has been shown and before that is recorded."""
    real = RecordingChat.edit

    async def edit(self: RecordingChat, *args: Any) -> None:
        await real(self, *args)
        die()

    RecordingChat.edit = edit  # type: ignore[method-assign]


MOMENTS: dict[str, Callable[[], None]] = {
    "before it is published": lambda: before(EmbeddedQueue, "publish", lambda _, ids, *more: bool(ids)),
    "once it is claimed": lambda: before(Worker, "_carry"),
    "in the middle of the download": lambda: before(
        Reporter, "downloaded", lambda _, progress: progress.done > 500_000
    ),
    "while it is converted": lambda: before(Reporter, "converted"),
    "when its files are stored": lambda: before(worker.attempt.jobs, "finish_many"),
    "when it is done, before the delivery": lambda: before(worker.supervise, "remove_unused"),
    "when the result was shown, before that is recorded": after_edit,
}


async def main() -> None:
    """Run until SIGTERM."""
    settings = Settings(_env_file=None)
    set_up_logging(settings)
    moment = os.environ.get("KILL_AT")
    if moment:
        MOMENTS[moment]()
    worker.janitor.SWEEP_INTERVAL = 0.1
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    chat = RecordingChat(Path(os.environ["RECORDING_CHAT"]))
    with worker_lock(settings.data_dir) as held:
        assert held or "SHARE" in os.environ
        async with open_parts(settings) as parts, running_worker(parts, {PLATFORM: chat}):
            await stopped.wait()


if __name__ == "__main__":
    asyncio.run(main())
