"""The real Apertium, and programs in its place that misbehave."""

import asyncio
import os
import time
from pathlib import Path

import psutil
import pytest

from tests.waiting import eventually
from worker.translate.apertium import Apertium
from worker.translate.port import TranslatorUnavailable


def in_its_place(folder: Path, script: str) -> str:
    program = folder / "apertium"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


async def test_it_really_translates() -> None:
    translated = await Apertium().translate(["The ferry leaves at noon.", "Good morning!"], "eng", "spa")
    assert "transbordador" in translated[0]
    assert translated[1] == "Buenos días!"


async def test_unknown_words_get_no_star() -> None:
    (translated,) = await Apertium().translate(["The zorblax is big."], "eng", "spa")
    assert "zorblax" in translated
    assert "*" not in translated


async def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(TranslatorUnavailable, match="apt install apertium"):
        await Apertium("no-such-program").languages()


async def test_a_program_that_fails_tells_why(tmp_path: Path) -> None:
    with pytest.raises(TranslatorUnavailable, match="ended with 3: no memory"):
        await Apertium(in_its_place(tmp_path, "echo no memory >&2; exit 3")).translate(["a"], "eng", "spa")


async def test_blocks_that_do_not_fit_are_sent_apart(tmp_path: Path) -> None:
    program = in_its_place(tmp_path, "tr -s '\\n'")  # it takes every empty line away
    assert await Apertium(program).translate(["a", "b", "c"], "eng", "spa") == ["a", "b", "c"]


async def test_no_secret_of_ours_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKFERRY_SECRET_KEYS", "hidden")
    program = in_its_place(tmp_path, f"env > {tmp_path}/seen")
    await Apertium(program).translate(["a"], "eng", "spa")
    assert "LINKFERRY" not in (tmp_path / "seen").read_text()


@pytest.mark.parametrize("how", ["deadline", "cancel"])
async def test_one_that_hangs_is_killed_with_all_it_started(tmp_path: Path, how: str) -> None:
    program = in_its_place(tmp_path, f"sleep 77 | sleep 77 & echo $$ > {tmp_path}/pid; sleep 77")
    translator = Apertium(program, deadline=3 if how == "deadline" else 60)
    task = asyncio.ensure_future(translator.translate(["a"], "eng", "spa"))
    await eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    group = int((tmp_path / "pid").read_text())
    if how == "cancel":
        task.cancel()
    with pytest.raises(TranslatorUnavailable if how == "deadline" else asyncio.CancelledError):
        await task
    deadline = time.monotonic() + 60
    while alive := [p.pid for p in psutil.process_iter(["status"]) if is_in(p, group)]:
        assert time.monotonic() < deadline, alive
        await asyncio.sleep(0.05)


def is_in(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE
    except ProcessLookupError:
        return False
