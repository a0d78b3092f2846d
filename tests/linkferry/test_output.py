"""Standard output that takes nothing: a closed pipe, a full disk."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer
from rich.console import Console

from bots.terminal import say
from linkferry import carry
from linkferry.output import OutputLost, Stdout
from tests.linkferry.conftest import COMMAND

LONG = "long " * 10_000  # more than fits into a buffer
FULL = Path("/dev/full")


def full() -> int:
    return os.open(FULL, os.O_WRONLY)


def unread() -> int:
    reads, writes = os.pipe()
    os.close(reads)
    return writes


@contextmanager
def stdout(file: int) -> Iterator[None]:
    out = io.TextIOWrapper(io.BufferedWriter(Stdout(file, "w")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        yield
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, file)  # for what was not written
    os.close(nowhere)
    out.close()


@pytest.mark.parametrize("opened", [full, unread])
@pytest.mark.parametrize("words", ["short", LONG])
@pytest.mark.parametrize(
    "prints", [lambda words: say(Console(), words), lambda words: carry._print_json({"x": words}), typer.echo]
)
def test_however_it_is_printed_the_error_is_that_of_the_output(
    prints: Callable[[str], None], words: str, opened: Callable[[], int]
) -> None:
    with stdout(opened()), pytest.raises(OutputLost):
        prints(words)


def test_a_full_disk_is_a_sentence() -> None:
    with FULL.open("w") as out:
        done = subprocess.run([*COMMAND, "--help"], stdout=out, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "linkferry: I cannot write the output: No space left on device.\n"
