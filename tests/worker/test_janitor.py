"""The janitor tells of an outage once, not every five seconds for as long as it lasts."""

import asyncio
import errno
from collections.abc import Iterator

import pytest
from sqlalchemy.exc import OperationalError

from tests.shared.chat.virtual import run_virtually
from worker.janitor import _every

FULL = OSError(errno.ENOSPC, "No space left on device")


def lines_of(outcomes: list[Exception | None], caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is logged of a step that goes so, one time after the other."""
    left: Iterator[Exception | None] = iter(outcomes)
    over = asyncio.Event()

    async def step() -> None:
        for outcome in left:
            if outcome is None:
                return
            raise outcome
        over.set()

    async def run() -> None:
        task = asyncio.create_task(_every(5, step))
        await over.wait()
        task.cancel()

    run_virtually(run())
    return [record.getMessage() for record in caplog.records]


def test_an_outage_is_one_line_until_its_cause_is_another(caplog: pytest.LogCaptureFixture) -> None:
    full = [OperationalError(f"UPDATE jobs SET a = {number}", {}, FULL) for number in range(3)]
    lines = lines_of([*full, ConnectionRefusedError("refused"), full[0]], caplog)
    assert [line.partition(": ")[2] for line in lines] == [
        "OSError: [Errno 28] No space left on device",
        "ConnectionRefusedError: refused",
        "OSError: [Errno 28] No space left on device",
    ]
    assert "Traceback" not in caplog.text and "UPDATE" not in caplog.text


def test_an_outage_that_comes_back_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    assert len(lines_of([FULL, FULL, None, FULL], caplog)) == 2


def test_what_is_no_outage_keeps_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    assert len(lines_of([ValueError("a bug"), ValueError("a bug")], caplog)) == 1
    assert caplog.text.count("Traceback") == 1
